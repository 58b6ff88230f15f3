-- Device sales: the app pays at the card gateway, which asks us about each sale. No column holds a
-- card number.

-- What a client's server lets its app pay, once. The token itself is nowhere, only its hash.
create table sale_access (
    access uuid primary key,
    token_hash bytea not null unique,
    client_id bigint not null,
    consumer_hash bytea not null,
    -- the purchase's fields, as the client's server sent them
    purchase_sealed bytea not null,
    email_sealed bytea,
    amount bigint not null check (amount > 0),
    currency text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index sale_access_expires on sale_access (expires_at);

-- A sale that an app has begun: one of each access token, under one nonce.
create table device_sale (
    purchase uuid primary key,
    access uuid not null unique references sale_access,
    funding_source text not null,
    -- serial number, nonce, access token; after its check the gateway's token too
    session_sealed bytea not null,
    -- its nonce is used up
    checked boolean not null default false,
    created_at timestamptz not null
);

-- A consumer's card, by the gateway's reference and ours. The bin is whose card it is, not which.
create table consumer_card (
    card uuid primary key,
    client_id bigint not null,
    consumer_hash bytea not null,
    funding_source text not null,
    server_card_hash bytea not null,
    server_card_sealed bytea not null,
    email_hash bytea,
    email_sealed bytea,
    bin text not null check (length(bin) <= 8),
    -- the consumer's data have changed since
    disabled boolean not null default false,
    created_at timestamptz not null,
    unique (client_id, consumer_hash, funding_source, server_card_hash)
);
