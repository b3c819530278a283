-- The tables of one tenant, for SQLite and PostgreSQL alike.
CREATE TABLE IF NOT EXISTS category (
	id     INTEGER PRIMARY KEY,
	parent INTEGER REFERENCES category (id) CHECK (parent < id), -- so a parent comes before its children
	name   TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS product (
	id       INTEGER PRIMARY KEY,
	category INTEGER NOT NULL REFERENCES category (id),
	name     TEXT NOT NULL,
	material TEXT NOT NULL
);

-- What a customer group pays, in cents. Groups without a price pay retail.
CREATE TABLE IF NOT EXISTS price (
	product        INTEGER NOT NULL REFERENCES product (id),
	customer_group TEXT NOT NULL,
	cents          BIGINT NOT NULL CHECK (cents > 0),
	PRIMARY KEY (product, customer_group)
);

-- Terms are the words of names, materials and categories as they stand there, in English.
CREATE TABLE IF NOT EXISTS translation (
	language TEXT NOT NULL,
	term     TEXT NOT NULL,
	text     TEXT NOT NULL,
	PRIMARY KEY (language, term)
);

CREATE TABLE IF NOT EXISTS setting (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);
