-- Applied at every start: the database itself keeps the log append-only for the service.

GRANT SELECT, INSERT ON log_blocks TO financehub_service;
GRANT SELECT, INSERT, UPDATE ON log_heads TO financehub_service;
GRANT SELECT, INSERT ON log_marks, log_clock_steps TO financehub_service;
GRANT SELECT ON meta, log_anchors TO financehub_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON snapshots, checkpoints, bars, events TO financehub_service;

GRANT SELECT, INSERT, DELETE ON log_blocks TO financehub_maintenance;
GRANT SELECT, INSERT, UPDATE ON log_heads TO financehub_maintenance;
GRANT SELECT, INSERT, DELETE ON log_marks TO financehub_maintenance;
GRANT SELECT ON log_clock_steps TO financehub_maintenance;
GRANT SELECT ON meta TO financehub_maintenance;
GRANT SELECT, INSERT, UPDATE, DELETE ON log_anchors, log_slices TO financehub_maintenance;
GRANT SELECT, INSERT, UPDATE, DELETE ON snapshots, checkpoints, bars, events TO financehub_maintenance;
