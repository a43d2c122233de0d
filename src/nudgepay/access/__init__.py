"""Who may do what: operators, their sessions, roles and permissions.

May be called by every room above. Owns `operators`, `sessions`, `saved_views`, `invitations`,
`service_tokens` and `approvals`.
"""
