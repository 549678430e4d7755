/**
 * Tables and their migrations. A migration is never edited once released: the next one is added behind it. `user_version`
 * counts those applied; `application_id` tells our files apart, so that a jar is not opened as a store.
 *
 * Times are milliseconds since 1970, amounts msat, hashes and meters 32 bytes.
 */
export interface Schema {
  /** As messages call it. */
  readonly name: string
  readonly applicationId: number
  readonly migrations: readonly string[]
}

export const storeSchema: Schema = {
  name: 'store',
  applicationId: 0x54614c73, // TaLs
  migrations: [
    `
    CREATE TABLE quotes (
      payment_hash BLOB PRIMARY KEY,
      slot TEXT NOT NULL,
      amount INTEGER NOT NULL,
      bolt11 TEXT NOT NULL,
      macaroon TEXT NOT NULL,
      service TEXT NOT NULL,
      route TEXT NOT NULL,
      terms TEXT NOT NULL,
      created INTEGER NOT NULL,
      expires INTEGER NOT NULL,
      settled INTEGER,
      redeemed INTEGER,
      paid INTEGER NOT NULL AS (settled IS NOT NULL OR redeemed IS NOT NULL)
    ) STRICT;
    CREATE INDEX quotes_by_expiry ON quotes (paid, expires);

    CREATE TABLE meters (
      meter BLOB PRIMARY KEY,
      used INTEGER NOT NULL CHECK (used >= 0),
      expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX meters_by_expiry ON meters (expires);

    -- charges: 48 bytes each, the meter, what was taken and what was left, big-endian.
    CREATE TABLE attempts (
      key TEXT PRIMARY KEY,
      at INTEGER NOT NULL,
      charges BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX attempts_by_time ON attempts (at);

    CREATE TABLE progress (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      cursor TEXT NOT NULL
    ) STRICT;
    `,
    `
    -- window: unix seconds when the one that \`used\` counts in began, 0 without. owner: the payment hash, for those that count
    -- towards the most that one may have.
    ALTER TABLE meters ADD COLUMN window INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE meters ADD COLUMN owner BLOB;
    CREATE INDEX meters_by_owner ON meters (owner) WHERE owner IS NOT NULL;

    -- notes: JSON, per charge null or {window, drawn}, where a charge has one of them.
    ALTER TABLE attempts ADD COLUMN notes TEXT;
    ALTER TABLE attempts ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0;

    -- above: the meters that counted the units, 32 bytes each. source: the meter whose own reservation paid for the rest.
    CREATE TABLE reservations (
      id INTEGER PRIMARY KEY,
      meter BLOB NOT NULL UNIQUE,
      amount INTEGER NOT NULL,
      remaining INTEGER NOT NULL CHECK (remaining >= 0),
      until INTEGER NOT NULL,
      ended INTEGER NOT NULL,
      above BLOB NOT NULL,
      source BLOB
    ) STRICT;
    CREATE INDEX reservations_by_end ON reservations (ended, until);

    -- caveat: NULL for a revocation. until: NULL when it is never known to be over.
    CREATE TABLE rulings (
      id INTEGER PRIMARY KEY,
      tag BLOB NOT NULL,
      token BLOB NOT NULL,
      link TEXT,
      caveat TEXT,
      at INTEGER NOT NULL,
      until INTEGER
    ) STRICT;
    CREATE UNIQUE INDEX rulings_once ON rulings (tag, ifnull(caveat, ''));
    `,
    `
    -- session: the payment hash of its first deposit, which alone has a return_invoice.
    CREATE TABLE deposits (
      id INTEGER PRIMARY KEY,
      payment_hash BLOB NOT NULL UNIQUE,
      session BLOB NOT NULL,
      return_invoice TEXT,
      at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX deposits_by_session ON deposits (session);
    CREATE INDEX deposits_by_time ON deposits (at);
    `,
  ],
}

export const logSchema: Schema = {
  name: 'log',
  applicationId: 0x54614c67, // TaLg
  migrations: [
    `
    CREATE TABLE entries (
      idx INTEGER PRIMARY KEY,
      body BLOB NOT NULL
    ) STRICT;

    CREATE TABLE tiles (
      level INTEGER NOT NULL,
      idx INTEGER NOT NULL,
      data BLOB NOT NULL,
      UNIQUE (level, idx)
    ) STRICT;

    CREATE TABLE head (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      size INTEGER NOT NULL,
      checkpoint TEXT NOT NULL
    ) STRICT;

    CREATE TABLE published (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      size INTEGER NOT NULL,
      checkpoint TEXT NOT NULL
    ) STRICT;
    `,
    `
    -- By number, because an index over hashes would be written at another page for nearly every receipt.
    CREATE TABLE deals (
      number INTEGER PRIMARY KEY,
      hash BLOB NOT NULL UNIQUE
    ) STRICT;

    -- leaf: its place in the log. deal: a number. token: the tag of the issuer's own hand, which is the id of the token.
    CREATE TABLE receipts (
      leaf INTEGER PRIMARY KEY,
      id BLOB NOT NULL UNIQUE,
      deal INTEGER NOT NULL,
      kind TEXT NOT NULL,
      at INTEGER NOT NULL,
      service TEXT NOT NULL,
      token BLOB,
      -- NULL: dropped
      envelope TEXT,
      salt BLOB
    ) STRICT;
    CREATE INDEX receipts_by_deal ON receipts (deal);
    CREATE INDEX receipts_by_time ON receipts (at);

    -- In which deals each token was shown; nothing is written for one that was shown before.
    CREATE TABLE tokens (
      token BLOB NOT NULL,
      deal INTEGER NOT NULL,
      PRIMARY KEY (token, deal)
    ) STRICT, WITHOUT ROWID;

    -- Of tokens that were handed on: each hand but the issuer's, outermost first.
    CREATE TABLE hands (
      leaf INTEGER NOT NULL,
      place INTEGER NOT NULL,
      tag BLOB NOT NULL,
      link TEXT,
      PRIMARY KEY (leaf, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX hands_by_tag ON hands (tag);
    CREATE INDEX hands_by_link ON hands (link);
    `,
  ],
}

export const jarSchema: Schema = {
  name: 'jar',
  applicationId: 0x54614c6a, // TaLj
  migrations: [
    `
    CREATE TABLE purchases (
      id INTEGER PRIMARY KEY,
      payment_hash BLOB NOT NULL UNIQUE,
      origin TEXT NOT NULL,
      method TEXT NOT NULL,
      path TEXT NOT NULL,
      macaroon TEXT NOT NULL,
      scheme TEXT NOT NULL CHECK (scheme IN ('L402', 'LSAT')),
      bolt11 TEXT NOT NULL,
      amount INTEGER NOT NULL,
      max_fee INTEGER NOT NULL,
      at INTEGER NOT NULL,
      -- released: known to have failed, kept unseen because whoever shares the jar may have paid it in the meantime
      state TEXT NOT NULL CHECK (state IN ('reserved', 'paid', 'dead', 'released')),
      confirmed INTEGER NOT NULL,
      preimage BLOB,
      fee INTEGER
    ) STRICT;
    CREATE INDEX purchases_by_origin ON purchases (origin, at);
    CREATE INDEX purchases_by_time ON purchases (at);
    CREATE INDEX purchases_released ON purchases (at) WHERE state = 'released';
    `,
  ],
}

/**
 * The store on PostgreSQL: the same tables with a prefix, for a database that others may use, too. What can be locked together
 * is one row: a reservation lives with its meter. Nothing is numbered by a sequence but by rows that are locked (rulings), so
 * that what commits later has the higher number.
 */
export const postgresMigrations: readonly string[] = [
  `
  CREATE TABLE tally_quotes (
    payment_hash BYTEA PRIMARY KEY,
    slot TEXT NOT NULL,
    amount BIGINT NOT NULL,
    bolt11 TEXT NOT NULL,
    macaroon TEXT NOT NULL,
    service TEXT NOT NULL,
    route TEXT NOT NULL,
    terms TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    settled BIGINT,
    redeemed BIGINT
  );
  CREATE INDEX tally_quotes_by_expiry ON tally_quotes (expires);

  -- held: a reservation as JSON. held_due: when it ends, NULL once it has. held_until: the same, kept.
  CREATE TABLE tally_meters (
    meter BYTEA PRIMARY KEY,
    used BIGINT NOT NULL CHECK (used >= 0),
    expires BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    owner BYTEA,
    held TEXT,
    held_due BIGINT,
    held_until BIGINT
  ) WITH (fillfactor = 70);
  CREATE INDEX tally_meters_by_expiry ON tally_meters (expires);
  CREATE INDEX tally_meters_by_owner ON tally_meters (owner) WHERE owner IS NOT NULL;
  CREATE INDEX tally_meters_by_due ON tally_meters (held_due) WHERE held_due IS NOT NULL;
  CREATE INDEX tally_meters_by_held ON tally_meters (held_until) WHERE held_until IS NOT NULL;

  -- Locked by whoever adds a meter of this payment hash, so that they can be counted.
  CREATE TABLE tally_owners (owner BYTEA PRIMARY KEY);

  -- charges and notes: as in SQLite.
  CREATE TABLE tally_attempts (
    key TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    charges BYTEA NOT NULL,
    notes TEXT,
    refunded INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX tally_attempts_by_time ON tally_attempts (at);

  CREATE TABLE tally_rulings (
    number BIGINT PRIMARY KEY,
    tag BYTEA NOT NULL,
    token BYTEA NOT NULL,
    link TEXT,
    caveat TEXT,
    at BIGINT NOT NULL,
    until BIGINT
  );

  -- position: in its session, which is named by its first deposit, which alone has a return_invoice.
  CREATE TABLE tally_deposits (
    payment_hash BYTEA PRIMARY KEY,
    session BYTEA NOT NULL,
    position INTEGER NOT NULL,
    return_invoice TEXT,
    at BIGINT NOT NULL
  );
  CREATE UNIQUE INDEX tally_deposits_by_session ON tally_deposits (session, position);
  CREATE INDEX tally_deposits_by_time ON tally_deposits (at);

  -- By node: each is read by those who follow it.
  CREATE TABLE tally_cursors (node TEXT PRIMARY KEY, cursor TEXT NOT NULL);

  -- One row for each process that writes: its latest commit, so that it can ask what became of one.
  CREATE TABLE tally_writers (id TEXT PRIMARY KEY, commits BIGINT NOT NULL, at BIGINT NOT NULL);
  `,
]
