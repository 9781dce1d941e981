-- Applied where the connecting user may not create roles: a trigger then guards the log.

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'log_blocks is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE OR REPLACE TRIGGER log_blocks_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON log_blocks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
