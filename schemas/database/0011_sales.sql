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
    -- the one card that was kept of it
    server_card_hash bytea,
    created_at timestamptz not null
);

-- A consumer's card, by the gateway's reference and ours. The bin is whose card it is, not which. Our
-- reference follows from the gateway's, so that what is sealed under it stays readable when the card
-- is kept again.
create table consumer_card (
    card uuid primary key,
    client_id bigint not null,
    consumer_hash bytea not null,
    funding_source text not null check (length(funding_source) <= 64),
    server_card_hash bytea not null,
    server_card_sealed bytea not null,
    email_hash bytea,
    email_sealed bytea,
    bin text not null check (length(bin) <= 8),
    -- the consumer's data have changed since
    disabled boolean not null default false,
    created_at timestamptz not null,
    -- one consumer's, whoever else tells of it
    unique (funding_source, server_card_hash)
);
create index consumer_card_consumer on consumer_card (client_id, consumer_hash);

-- Keeps the card of a paid sale, also one that it has told before: mapped again it pays again. Verdicts:
-- kept, other_card (the sale has another one), other_consumer (the card is somebody else's).
create function fleet_keep_card_v1(
    p_purchase uuid, p_card uuid, p_client bigint, p_consumer bytea, p_source text,
    p_server_hash bytea, p_server_sealed bytea, p_email_hash bytea, p_email_sealed bytea, p_bin text
) returns text
language plpgsql volatile as $$
declare
    v_of_sale bytea;
begin
    select s.server_card_hash into v_of_sale from device_sale s
    where s.purchase = p_purchase for update;
    if v_of_sale <> p_server_hash then
        return 'other_card';
    end if;
    -- With the address of the sale that maps it.
    insert into consumer_card as c (card, client_id, consumer_hash, funding_source,
                                    server_card_hash, server_card_sealed, email_hash, email_sealed,
                                    bin, created_at)
    values (p_card, p_client, p_consumer, p_source, p_server_hash, p_server_sealed, p_email_hash,
            p_email_sealed, p_bin, fleet_now())
    on conflict (funding_source, server_card_hash) do update
    set disabled = false, email_hash = excluded.email_hash, email_sealed = excluded.email_sealed,
        bin = excluded.bin
    where c.client_id = excluded.client_id and c.consumer_hash = excluded.consumer_hash;
    if not found then
        return 'other_consumer';
    end if;
    update device_sale set server_card_hash = p_server_hash where purchase = p_purchase;
    return 'kept';
end $$;
