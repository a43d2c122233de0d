"""Who may do what: operators, how they prove who they are, their sessions, roles and permissions.

May be called by every room above. Owns `operators`, `sessions`, `saved_views`, `totp_factors`, `recovery_codes`,
`known_devices`, `sign_in_limits`, `invitations`, `service_tokens` and `approvals`.
"""
