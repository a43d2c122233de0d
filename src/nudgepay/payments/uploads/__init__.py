"""Files that people upload: kept first, looked at, read on trial, then imported; whoever dies, another goes on.

Owns: table `import_uploads`. May be called by: automation, web.
"""
