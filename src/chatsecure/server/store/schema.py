"""The database's tables. Each version is one step, applied in a transaction of its own.

An entry's key is `log << SEQ_BITS | seq`: entries of one log lie together in one B-tree, in
order, with no second index to find them. `appended` keeps the append ids of entries that expired
before their sender acknowledged them, so that even then a retry stores nothing twice. A claimed
KeyPackage leaves its `ref` behind (no `data`), so that a repeated upload does not bring it back.
"""

SEQ_BITS = 36
"""2**36 entries a log, 2**27 logs."""

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE users(
        key INTEGER PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,
        identity BLOB NOT NULL, sealing BLOB NOT NULL,
        list_body BLOB NOT NULL, list_signature BLOB NOT NULL, list_counter INTEGER NOT NULL,
        fingerprint BLOB NOT NULL, role INTEGER NOT NULL, created_at INTEGER NOT NULL);
    CREATE UNIQUE INDEX users_fingerprint ON users(fingerprint);
    CREATE TABLE bans(folded TEXT PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL)
        WITHOUT ROWID;
    CREATE TABLE devices(
        key INTEGER PRIMARY KEY, user INTEGER NOT NULL, device_id BLOB NOT NULL UNIQUE,
        certificate BLOB NOT NULL, public_key BLOB NOT NULL, last_seen INTEGER NOT NULL);
    CREATE INDEX devices_user ON devices(user);
    CREATE TABLE tokens(
        hash BLOB PRIMARY KEY, uses_left INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        owner INTEGER NOT NULL, by_user INTEGER, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE key_packages(
        key INTEGER PRIMARY KEY, device INTEGER NOT NULL, ref BLOB NOT NULL,
        data BLOB, last_resort INTEGER NOT NULL, UNIQUE(device, ref));
    CREATE TABLE logs(
        key INTEGER PRIMARY KEY, log_id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,
        epoch INTEGER NOT NULL, head INTEGER NOT NULL, chain BLOB NOT NULL,
        creator INTEGER NOT NULL, pair_one INTEGER, pair_other INTEGER, at INTEGER NOT NULL);
    CREATE UNIQUE INDEX logs_lobby ON logs(kind) WHERE kind = 0;
    CREATE UNIQUE INDEX logs_pair ON logs(pair_one, pair_other) WHERE pair_one IS NOT NULL;
    CREATE INDEX logs_creator ON logs(creator);
    CREATE TABLE entries(
        key INTEGER PRIMARY KEY, at INTEGER NOT NULL, device_id BLOB NOT NULL,
        append_id BLOB NOT NULL, epoch INTEGER NOT NULL, kind INTEGER NOT NULL,
        payload BLOB NOT NULL, roster BLOB, log INTEGER NOT NULL, chain BLOB NOT NULL);
    CREATE UNIQUE INDEX entries_append ON entries(append_id, device_id, log);
    CREATE TABLE appended(
        append_id BLOB NOT NULL, device_id BLOB NOT NULL, log INTEGER NOT NULL,
        seq INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(append_id, device_id, log))
        WITHOUT ROWID;
    CREATE TABLE rosters(
        log INTEGER NOT NULL, device INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER,
        acked INTEGER NOT NULL, chain BLOB NOT NULL, PRIMARY KEY(log, device, since))
        WITHOUT ROWID;
    CREATE INDEX rosters_device ON rosters(device, log);
    CREATE TABLE links(
        link_id BLOB PRIMARY KEY, log INTEGER NOT NULL, uses_left INTEGER,
        expires_at INTEGER NOT NULL, sealed_key BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX links_log ON links(log);
    CREATE TABLE group_infos(
        log INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, sealed BLOB NOT NULL);
    CREATE TABLE blobs(
        blob_id BLOB PRIMARY KEY, log INTEGER NOT NULL, user INTEGER NOT NULL,
        size INTEGER NOT NULL, segment_bytes INTEGER NOT NULL, whole INTEGER NOT NULL,
        made_seq INTEGER NOT NULL, at INTEGER NOT NULL, touched_at INTEGER NOT NULL)
        WITHOUT ROWID;
    CREATE INDEX blobs_user ON blobs(user);
    """,
    """
    ALTER TABLE devices ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE devices ADD COLUMN mark BLOB NOT NULL DEFAULT x'';
    """,
)
