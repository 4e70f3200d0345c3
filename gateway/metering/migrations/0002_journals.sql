-- One checkpoint for each journal: '' is the control process's own, the others are named for their folder.
CREATE TABLE journal_checkpoints (
  journal TEXT PRIMARY KEY,
  segment INTEGER NOT NULL,
  byte_offset INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO journal_checkpoints SELECT '', segment, byte_offset FROM journal_checkpoint;
DROP TABLE journal_checkpoint;
