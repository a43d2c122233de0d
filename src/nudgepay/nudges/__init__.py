"""The nudge engine: what to say, when, to whom, and why not; and saying it at most once.

Owns: tables `schedules`, `schedule_steps`, `closing_days`, `letter_texts`, `letter_text_versions`, `reminders`,
`letters`, `runs`, `suppressions`, `promises`, `disputes`, `payment_claims`, `sending_switch`, `cron_signatures`.
May be called by: automation, web, cli.
"""
