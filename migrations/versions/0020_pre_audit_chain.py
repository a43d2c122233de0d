"""The audit log proves itself: a chain of seals, checkpoints, and a role that may add to it and nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

CHAINED = ("audit_events", "audit_seals", "audit_checkpoints")

COMMIT_TO_ORIGIN = """
CREATE FUNCTION audit_commit_to_origin() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.origin_salt := NULL;
  NEW.origin_commitment := NULL;
  IF NEW.origin IS NOT NULL THEN
    NEW.origin_salt := uuid_send(gen_random_uuid());
    NEW.origin_commitment := sha256(NEW.origin_salt || convert_to(NEW.origin, 'UTF8'));
  END IF;
  RETURN NEW;
END $$
"""
APPEND_ONLY = """
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF current_setting('nudgepay.audit_maintenance', true) = 'on' THEN
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
  END IF;
  IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_events' THEN
    OLD.origin := NULL;
    OLD.origin_salt := NULL;
    IF NEW IS NOT DISTINCT FROM OLD THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""
FORGET_ORIGINS = """
CREATE FUNCTION audit_forget_origins(events bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE forgotten bigint;
BEGIN
  UPDATE public.audit_events SET origin = NULL, origin_salt = NULL WHERE id = ANY (events) AND origin IS NOT NULL;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  RETURN forgotten;
END $$
"""
GRANT_APP_ROLE = """
CREATE FUNCTION grant_app_role() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  taking text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nudgepay_app') THEN
    BEGIN
      CREATE ROLE nudgepay_app NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END IF;
  IF NOT pg_has_role(current_user, 'nudgepay_app', taking) THEN
    BEGIN
      EXECUTE format('GRANT nudgepay_app TO %I', current_user);
    EXCEPTION WHEN unique_violation THEN
      NULL;
    END;
  END IF;
  EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO nudgepay_app', current_database());
  GRANT USAGE ON SCHEMA public, procrastinate TO nudgepay_app;
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, procrastinate TO nudgepay_app;
  GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public, procrastinate TO nudgepay_app;
  ALTER DEFAULT PRIVILEGES IN SCHEMA public, procrastinate
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO nudgepay_app;
  ALTER DEFAULT PRIVILEGES IN SCHEMA public, procrastinate GRANT USAGE, SELECT ON SEQUENCES TO nudgepay_app;
  REVOKE INSERT, UPDATE, DELETE ON public.alembic_version, public.schema_state FROM nudgepay_app;
  REVOKE ALL ON public.audit_events, public.audit_seals, public.audit_checkpoints FROM nudgepay_app;
  REVOKE ALL ON SEQUENCE public.audit_events_id_seq FROM nudgepay_app;
  GRANT SELECT ON public.audit_events, public.audit_seals, public.audit_checkpoints TO nudgepay_app;
  GRANT SELECT ON SEQUENCE public.audit_events_id_seq TO nudgepay_app;
  GRANT INSERT (actor, action, subject, origin, before, after) ON public.audit_events TO nudgepay_app;
  GRANT INSERT ON public.audit_seals, public.audit_checkpoints TO nudgepay_app;
  GRANT EXECUTE ON FUNCTION public.audit_forget_origins(bigint[]) TO nudgepay_app;
  RETURN NULL;
EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
  RETURN SQLERRM;
END $$
"""
TAKE_BACK = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'nudgepay_app') THEN
    ALTER DEFAULT PRIVILEGES IN SCHEMA public, procrastinate REVOKE ALL ON TABLES FROM nudgepay_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public, procrastinate REVOKE ALL ON SEQUENCES FROM nudgepay_app;
    REVOKE ALL ON ALL TABLES IN SCHEMA public, procrastinate FROM nudgepay_app;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA public, procrastinate FROM nudgepay_app;
    REVOKE ALL ON SCHEMA public, procrastinate FROM nudgepay_app;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM nudgepay_app', current_database());
  END IF;
END $$
"""


def upgrade() -> None:
    """Commit to the origins that are there, close the log, make the chain, and give the application its role."""
    op.add_column("audit_events", sa.Column("origin_salt", sa.LargeBinary(), nullable=True))
    op.add_column("audit_events", sa.Column("origin_commitment", sa.LargeBinary(), nullable=True))
    op.execute("UPDATE audit_events SET origin_salt = uuid_send(gen_random_uuid()) WHERE origin IS NOT NULL")
    op.execute(
        "UPDATE audit_events SET origin_commitment = sha256(origin_salt || convert_to(origin, 'UTF8'))"
        " WHERE origin IS NOT NULL"
    )
    op.create_index("ix_audit_events_at", "audit_events", ["at", "id"])
    op.create_index("ix_audit_events_actor", "audit_events", ["actor", "at", "id"])
    op.create_index("ix_audit_events_action", "audit_events", ["action", "at", "id"])
    op.create_table(
        "audit_seals",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_seals_event_id")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("settled_id", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoints")),
    )
    op.create_index("ix_audit_checkpoints_seq", "audit_checkpoints", ["seq", "id"])
    for function in (COMMIT_TO_ORIGIN, APPEND_ONLY, FORGET_ORIGINS, GRANT_APP_ROLE):
        op.execute(function)
    op.execute("REVOKE EXECUTE ON FUNCTION audit_forget_origins(bigint[]) FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER audit_commit_to_origin BEFORE INSERT ON audit_events"
        " FOR EACH ROW EXECUTE FUNCTION audit_commit_to_origin()"
    )
    for table in CHAINED:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION audit_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER append_only_as_a_whole BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
        )
    op.execute("SELECT grant_app_role()")


def downgrade() -> None:
    """Open the log again and drop the chain; the role stays, because other databases may use it."""
    op.execute(TAKE_BACK)
    for table in CHAINED:
        op.execute(f"DROP TRIGGER append_only ON {table}")
        op.execute(f"DROP TRIGGER append_only_as_a_whole ON {table}")
    op.execute("DROP TRIGGER audit_commit_to_origin ON audit_events")
    for function in ("grant_app_role()", "audit_forget_origins(bigint[])", "audit_append_only()"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP FUNCTION audit_commit_to_origin()")
    op.drop_table("audit_checkpoints")
    op.drop_table("audit_seals")
    for name in ("action", "actor", "at"):
        op.drop_index(f"ix_audit_events_{name}", table_name="audit_events")
    op.drop_column("audit_events", "origin_commitment")
    op.drop_column("audit_events", "origin_salt")
