"""Who may do what: operators, how they prove who they are, their sessions, roles and permissions.

May be called by the web, the jobs and the command line. Owns `operators`, `sessions`, `saved_views`, `totp_factors`,
`recovery_codes`, `known_devices` and `sign_in_limits`.
"""
