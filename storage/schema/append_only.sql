-- Applied where the connecting user may not create roles: a trigger then guards the log. It lets the archivist
-- delete, who says so in his transaction; nobody deletes by accident.

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('financehub.archivist', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'log_blocks is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE OR REPLACE TRIGGER log_blocks_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON log_blocks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
