"""The tables of a profile's database, version by version.

A version that was released is never changed: what it lacks is added by the next one.
"""

SCHEMA_VERSION = 6

SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE users(
  folded TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  identity_certificate BLOB NOT NULL,
  verified INTEGER NOT NULL DEFAULT 0,
  changed_certificate BLOB,
  device_counter INTEGER NOT NULL DEFAULT 0,
  away TEXT NOT NULL DEFAULT '',
  first_seen INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE conversations(
  log_id BLOB PRIMARY KEY,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  folded TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  cursor INTEGER,
  chain BLOB NOT NULL DEFAULT x'',
  mls_version INTEGER NOT NULL DEFAULT 0,
  delivered INTEGER NOT NULL DEFAULT 0,
  read INTEGER NOT NULL DEFAULT 0,
  receipted INTEGER NOT NULL DEFAULT 0,
  notify TEXT NOT NULL DEFAULT 'all',
  draft TEXT NOT NULL DEFAULT '',
  joined_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE members(
  log_id BLOB NOT NULL,
  leaf INTEGER NOT NULL,
  device_id BLOB NOT NULL,
  folded TEXT NOT NULL,
  name TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY(log_id, leaf)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members(folded, log_id);

CREATE TABLE mls_state(
  scope BLOB NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY(scope, key)
) WITHOUT ROWID;

CREATE TABLE key_packages(
  ref BLOB PRIMARY KEY, last_resort INTEGER NOT NULL, made_at INTEGER NOT NULL,
  data BLOB NOT NULL, uploaded INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE chain(
  log_id BLOB NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(log_id, seq)
) WITHOUT ROWID;

CREATE TABLE messages(
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  log_id BLOB NOT NULL,
  seq INTEGER,
  at INTEGER NOT NULL,
  sender TEXT NOT NULL,
  mine INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  body BLOB NOT NULL,
  text TEXT NOT NULL,
  edited INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT '',
  UNIQUE(log_id, id)
);
CREATE INDEX messages_by_seq ON messages(log_id, seq);
CREATE INDEX messages_by_log ON messages(log_id);

CREATE VIRTUAL TABLE search USING fts5(
  text, content='messages', content_rowid='n', tokenize='unicode61 remove_diacritics 2'
);
INSERT INTO search(search, rank) VALUES('secure-delete', 1);
CREATE TRIGGER search_insert AFTER INSERT ON messages BEGIN
  INSERT INTO search(rowid, text) VALUES(new.n, new.text); END;
CREATE TRIGGER search_delete AFTER DELETE ON messages BEGIN
  INSERT INTO search(search, rowid, text) VALUES('delete', old.n, old.text); END;
CREATE TRIGGER search_update AFTER UPDATE OF n, text ON messages BEGIN
  INSERT INTO search(search, rowid, text) VALUES('delete', old.n, old.text);
  INSERT INTO search(rowid, text) VALUES(new.n, new.text); END;

CREATE TABLE reactions(
  log_id BLOB NOT NULL, id BLOB NOT NULL, folded TEXT NOT NULL, name TEXT NOT NULL,
  emoji TEXT NOT NULL, UNIQUE(log_id, id, folded)
);

CREATE TABLE outbox(
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  log_id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  content BLOB NOT NULL,
  payload BLOB,
  epoch INTEGER,
  sent INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE pending_commits(
  log_id BLOB PRIMARY KEY, append_id BLOB NOT NULL, message_type INTEGER NOT NULL,
  request BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE invitations(
  log_id BLOB PRIMARY KEY, at INTEGER NOT NULL, device_id BLOB NOT NULL, payload BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE leavers(
  log_id BLOB NOT NULL, device_id BLOB NOT NULL, signature BLOB NOT NULL,
  PRIMARY KEY(log_id, device_id)
) WITHOUT ROWID;

CREATE TABLE receipts(
  log_id BLOB NOT NULL, device_id BLOB NOT NULL, folded TEXT NOT NULL,
  delivered INTEGER NOT NULL, read INTEGER NOT NULL, PRIMARY KEY(log_id, device_id)
) WITHOUT ROWID;

CREATE TABLE file_receipts(
  log_id BLOB NOT NULL, id BLOB NOT NULL, folded TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY(log_id, id, folded)
) WITHOUT ROWID;

CREATE TABLE files(
  log_id BLOB NOT NULL,
  id BLOB NOT NULL,
  incoming INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  source TEXT NOT NULL DEFAULT '',
  source_mark TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL,
  path TEXT NOT NULL DEFAULT '',
  partial TEXT NOT NULL DEFAULT '',
  segments INTEGER NOT NULL DEFAULT 0,
  at INTEGER NOT NULL,
  PRIMARY KEY(log_id, id)
) WITHOUT ROWID;

CREATE TABLE events(n INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
"""

FILES_OF_BOTH_SIDES = """
ALTER TABLE files ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE files ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN retry_at INTEGER;
ALTER TABLE files ADD COLUMN drop_blob INTEGER NOT NULL DEFAULT 0;
CREATE INDEX files_by_state ON files(state, incoming, at);
CREATE INDEX files_to_drop ON files(drop_blob) WHERE drop_blob = 1;
CREATE TABLE file_devices(
  log_id BLOB NOT NULL, id BLOB NOT NULL, device_id BLOB NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY(log_id, id, device_id)
) WITHOUT ROWID;
"""

COPIES = """
ALTER TABLE conversations ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;
CREATE TABLE marks(n INTEGER PRIMARY KEY, mark BLOB NOT NULL);
CREATE TABLE rejoiners(
  log_id BLOB NOT NULL, device_id BLOB NOT NULL, PRIMARY KEY(log_id, device_id)
) WITHOUT ROWID;
"""
"""What an old copy of a profile is known by, and who asked to be added anew."""

FLOORS = "ALTER TABLE conversations ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;"
"""How far a conversation was read in an earlier time in it."""

FOUND_AT_ONCE = """
CREATE INDEX messages_by_id ON messages(id);
CREATE INDEX messages_of_others ON messages(log_id, seq) WHERE mine = 0 AND kind > 0;
"""

SEVERAL_WAYS_BACK = """
ALTER TABLE invitations RENAME TO single_invitations;
CREATE TABLE invitations(
  log_id BLOB NOT NULL, epoch INTEGER NOT NULL, at INTEGER NOT NULL, device_id BLOB NOT NULL,
  payload BLOB NOT NULL, PRIMARY KEY(log_id, epoch)
) WITHOUT ROWID;
INSERT INTO invitations SELECT log_id, 0, at, device_id, payload FROM single_invitations;
DROP TABLE single_invitations;
"""
"""Whoever is away may be taken out and added more than once."""

MIGRATIONS: dict[int, str] = {
    1: SCHEMA,
    2: FILES_OF_BOTH_SIDES,
    3: COPIES,
    4: FLOORS,
    5: FOUND_AT_ONCE,
    6: SEVERAL_WAYS_BACK,
}
"""What brings the schema from version n-1 to n; each runs in one transaction."""
