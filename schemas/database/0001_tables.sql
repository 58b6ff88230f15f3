-- The tables of Purchase Fleet. Times are the database's (fleet_now). Sealed columns hold
-- key version (2 bytes), nonce (24) and XChaCha20-Poly1305 text, bound to table, column and key;
-- hashes are keyed (HMAC-SHA256, 16 bytes kept).
--
-- Each text of an index has its cap here, in bytes where others write it: an index takes no entry of
-- more than 2,704 bytes, and says so with an error that looks as if the same again might help. Whoever
-- takes a text in cuts or refuses it long before; all columns of an index together stay below.

-- One clock for every decision; tests move it for all processes at once.
create table fleet_clock (
    one boolean primary key default true check (one),
    ahead interval not null default interval '0'
);
insert into fleet_clock default values;

create function fleet_now() returns timestamptz language sql volatile parallel safe as
$$ select clock_timestamp() + ahead from fleet_clock $$;

-- Data, not constants -----------------------------------------------------------------------------

create table directory_version (
    one boolean primary key default true check (one),
    version bigint not null default 1
);
insert into directory_version default values;

create table client (
    client_id bigint primary key,
    name text not null,
    active boolean not null default true,
    -- served by connectors of the sandbox only, and no other client by those
    sandbox boolean not null default false,
    api_key_hashes bytea[] not null default '{}' check (array_length(api_key_hashes, 1) <= 4),
    signature_secret_sealed bytea,
    signature_required boolean not null default false,
    oauth_secret_hashes bytea[] not null default '{}'
        check (array_length(oauth_secret_hashes, 1) <= 4),
    token_required boolean not null default false,
    -- access tokens made up to then are refused; imports never touch it
    tokens_valid_from timestamptz,
    -- no purchase while a similar one is in flight
    refuse_similar boolean not null default false,
    -- it attests that its references are numbers of its own: none is taken for a card number
    references_are_numbers boolean not null default false,
    broker_users text[] not null default '{}',
    answer_within_ms integer not null default 5000 check (answer_within_ms between 100 and 60000),
    start_within_seconds integer not null default 600 check (start_within_seconds between 1 and 86400),
    default_funding_source text,
    ipn_account_id text,
    ipn_key_sealed bytea,
    -- what is paid by card, and at whose page
    card jsonb,
    -- the fraud desk of its purchases, where it has one of its own
    desk text,
    ipn_form text check (ipn_form in ('serialised', 'raw')),
    -- failed payments are told too, with a status
    ipn_failures boolean not null default false,
    check ((ipn_account_id is null) = (ipn_key_sealed is null)
           and (ipn_key_sealed is null) = (ipn_form is null))
);

create table client_channel (
    client_id bigint not null references client,
    channel text not null check (length(channel) <= 64),
    url text not null,
    primary key (client_id, channel)
);

-- Whose door a key or secret opens: one client's. A trigger keeps it, so that no way of writing can
-- give one to two clients; deferred, so that two clients may swap theirs in one transaction.
create table client_credential (
    hash bytea not null,
    client_id bigint not null references client on delete cascade,
    constraint client_credential_of_one_client primary key (hash) deferrable initially deferred
);
create index client_credential_client on client_credential (client_id);

create table connector (
    name text primary key check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    party text not null check (party in ('bank', 'supplier', 'desk', 'channel')),
    adapter text not null,
    base_url text not null,
    -- plain http to a host that is not on a network of our own is meant
    plain_http boolean not null default false,
    inquiry text not null check (inquiry in ('look_up', 'repeat', 'callback', 'none')),
    settle_time_seconds integer not null default 0 check (settle_time_seconds >= 0),
    call_deadline_ms integer not null check (call_deadline_ms between 100 and 120000),
    callback_wait_seconds integer not null default 0 check (callback_wait_seconds >= 0),
    hold_seconds integer check (hold_seconds > 0),
    hold_margin_seconds integer not null default 60 check (hold_margin_seconds >= 0),
    secret_sealed bytea,
    -- how our calls show who we are, but for secrets; null where the adapter's document fixes it
    authenticate jsonb,
    certificate_key_sealed bytea,
    codes jsonb not null default '{}',
    -- what a fraud desk is told and asked; null for other parties
    desk jsonb,
    desk_msisdn_key_sealed bytea,
    -- what an SMS charge says of us, and our account at a card payment's page; null for others
    mo jsonb,
    account text,
    -- who may call us as this party, with the secret of its signature; null for others
    callers_sealed bytea,
    active boolean not null default true,
    sandbox boolean not null default false,
    check (case authenticate ->> 'by'
               when 'signature' then secret_sealed is not null
               when 'api_key' then secret_sealed is not null and authenticate ? 'header'
               when 'basic' then secret_sealed is not null and authenticate ? 'user'
               when 'mtls' then certificate_key_sealed is not null and authenticate ? 'certificate'
               when 'none' then true
               else authenticate is null
           end)
);

create table product (
    product_id bigint primary key,
    name text not null,
    product_type text not null,
    product_type_id bigint not null,
    description text not null default '',
    short_description text not null default '',
    vendor_id bigint not null,
    vendor text not null default '',
    -- channelId; empty = all
    channels integer[] not null default '{}',
    supplier text not null references connector,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    min_amount bigint not null check (min_amount > 0),
    max_amount bigint not null check (max_amount >= min_amount),
    fee_fixed bigint not null default 0 check (fee_fixed >= 0),
    fee_basis_points bigint not null default 0 check (fee_basis_points between 0 and 10000),
    -- what an SMS charge says of it, where that is not the connector's
    mo jsonb not null default '{}',
    -- the fraud desk of its purchases, whoever the client is
    desk text,
    active boolean not null default true
);

create table lane (
    lane integer generated always as identity primary key,
    kind smallint not null,
    owner text not null check (length(owner) <= 64),
    concurrency integer not null check (concurrency between 1 and 10000),
    rate_per_second integer not null default 0 check (rate_per_second >= 0),
    unique (kind, owner)
);

create table retry_plan (
    kind smallint not null,
    owner text not null check (length(owner) <= 64),
    class text not null check (class in ('not_done', 'unknown', 'pending')),
    version integer not null,
    delays_seconds integer[] not null check (array_length(delays_seconds, 1) between 1 and 200),
    created_at timestamptz not null default fleet_now(),
    primary key (kind, owner, class, version)
);

-- The fraud desk's reason for a code of a connector; * = of any.
create table failure_reason (
    connector text not null check (length(connector) <= 64),
    code text not null check (length(code) between 1 and 64),
    reason text not null check (reason in ('no_credit', 'vas_bar', 'blacklisted_msisdn',
                                           'child_bar', 'technical_fault', 'billing_frequency',
                                           'service_suspended')),
    primary key (connector, code)
);

create table source_blacklist (
    source_hash bytea primary key,
    reason text not null,
    created_at timestamptz not null default fleet_now()
);

-- Purchases ---------------------------------------------------------------------------------------

create table purchase (
    purchase uuid primary key,
    client_id bigint not null,
    client_txn_ref text not null check (length(client_txn_ref) between 1 and 64),
    fingerprint bytea not null,
    way_in text not null check (way_in in ('http', 'amqp')),
    scenario text not null check (scenario in ('client_reserved', 'we_reserve')),
    funding text not null check (funding in ('client', 'bank', 'mo_charge', 'card_sale',
                                            'card_payment')),
    funding_source text not null,
    product_id bigint not null,
    supplier text not null,
    currency text not null,
    purchase_amount bigint not null check (purchase_amount > 0),
    fee_amount bigint not null check (fee_amount >= 0),
    client_reservation text,
    channel_id integer not null,
    source_sealed bytea not null,
    source_hash bytea not null,
    target_sealed bytea not null,
    target_hash bytea not null,
    account_sealed bytea,
    account_hash bytea,
    details_sealed bytea not null,
    start_by timestamptz not null,
    created_at timestamptz not null,
    -- the reserve track, written by reserve tasks only; while it says validating no reserve task
    -- exists, and the validate task writes it
    reserve_state text not null,
    reserve_code text,
    -- the own word behind the code, where it has one: an invalid token's
    reserve_word text,
    reservation text,
    hold_expires_at timestamptz,
    -- the dispense track, written by dispense tasks only
    dispense_state text not null,
    dispense_code text,
    -- the supplier's own word, where its connector maps it to the code
    supplier_code text,
    supplier_ref text,
    vend_amount bigint,
    voucher_sealed bytea,
    settle_as text check (settle_as in ('capture', 'cancel')),
    -- the settle track, written by settle tasks only
    settle_state text not null,
    unique (client_id, client_txn_ref)
) with (fillfactor = 60);

-- Reservation references of clients and banks, for look-ups; kept out of the purchase row so that
-- its updates stay in place.
create table reservation_reference (
    client_id bigint not null,
    reference text not null check (octet_length(reference) <= 512),
    purchase uuid not null,
    primary key (client_id, reference, purchase)
);

-- Tasks: unfinished work. No index names state, lease or token, and a claim touches no indexed
-- column, so that updates stay in place: a claimed row is a third larger than a queued one, and a
-- page must have room for both forms of all its rows (fillfactor 42).
create table task (
    purchase uuid not null,
    kind smallint not null,
    slot integer not null default 0,
    state smallint not null,
    due_at timestamptz not null,
    lane integer not null,
    -- whose purchase it is: clients take turns in a lane
    client bigint not null,
    token uuid,
    claims integer not null default 0,
    tries integer not null default 0,
    ref_no integer not null default 0,
    sent_until timestamptz,
    -- the value that the running claim found, so that the same claim run again answers the same
    former_sent_until timestamptz,
    signals integer not null default 0,
    lease timestamptz,
    hinted_at timestamptz,
    start_by timestamptz,
    deadline_at timestamptz,
    park_class text,
    park_cause text,
    at_risk_minor bigint,
    at_risk_currency text,
    parked_at timestamptz,
    created_at timestamptz not null,
    primary key (purchase, kind, slot)
) with (fillfactor = 42, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_threshold = 20000,
        autovacuum_analyze_scale_factor = 0);
create index task_due on task (kind, lane, client, due_at);

-- What happened, for ever: one row a commit. Partitions are made ahead; the default one catches.
create table journal (
    at timestamptz not null default clock_timestamp(),
    purchase uuid not null,
    kind smallint not null,
    slot integer not null default 0,
    token uuid,
    ref_no integer not null default 0,
    outcome text not null,
    detail text not null default '' check (length(detail) <= 500),
    sealed bytea,
    actor text
) partition by range (at);
create table journal_default partition of journal default;
create index journal_purchase on journal (purchase, at);

-- The books. A step is 1 the hold, 2 its resolution, 3 the money's end, 4 the end of what was owed:
-- one of each at most.
create table ledger_entry (
    purchase uuid not null,
    step smallint not null check (step between 1 and 4),
    entry text not null,
    client_id bigint not null,
    funding_source text not null,
    currency text not null,
    amount bigint not null check (amount > 0),
    at timestamptz not null default clock_timestamp(),
    primary key (purchase, step),
    check ((step, entry) in ((1, 'reserved'), (2, 'captured'), (2, 'cancelled'), (3, 'kept'),
                             (3, 'refunded'), (3, 'owed'), (4, 'repaid')))
);

create view money_conservation as
select currency, client_id, funding_source,
       coalesce(sum(amount) filter (where entry = 'reserved'), 0)::bigint as reserved,
       coalesce(sum(amount) filter (where entry = 'captured'), 0)::bigint as captured,
       coalesce(sum(amount) filter (where entry = 'cancelled'), 0)::bigint as cancelled,
       (coalesce(sum(amount) filter (where step = 1), 0)
        - coalesce(sum(amount) filter (where step = 2), 0))::bigint as held,
       coalesce(sum(amount) filter (where entry = 'kept'), 0)::bigint as kept,
       coalesce(sum(amount) filter (where entry in ('refunded', 'repaid')), 0)::bigint as refunded,
       (coalesce(sum(amount) filter (where entry = 'owed'), 0)
        - coalesce(sum(amount) filter (where entry = 'repaid'), 0))::bigint as owed,
       (coalesce(sum(amount) filter (where entry = 'captured'), 0)
        - coalesce(sum(amount) filter (where step = 3), 0))::bigint as undecided
from ledger_entry
group by currency, client_id, funding_source;

create table delivery (
    purchase uuid not null,
    slot integer not null,
    client_id bigint not null,
    channel text not null,
    body_sealed bytea not null,
    state text not null default 'queued'
        check (state in ('queued', 'retrying', 'sent', 'failed', 'disabled')),
    attempts integer not null default 0,
    first_sent_at timestamptz,
    last_sent_at timestamptz,
    last_status integer,
    created_at timestamptz not null,
    primary key (purchase, slot)
) with (fillfactor = 70);

-- Each has a client: the condition keeps look-ups by purchase away from it.
create index delivery_client on delivery (client_id, purchase, slot) where client_id is not null;

-- Deliveries that have ended without an acknowledgement, for people: no index of delivery names a
-- state, so that its updates stay in place. Written with the state, in one statement.
create table undelivered (
    purchase uuid not null,
    slot integer not null,
    client_id bigint not null,
    channel text not null,
    state text not null check (state in ('failed', 'disabled')),
    ended_at timestamptz not null,
    primary key (purchase, slot)
);
create index undelivered_ended on undelivered (ended_at);

-- Transactions that Transaction Query does not show: held back by an operator (403), or removed
-- (410).
create table transaction_hold (
    purchase uuid primary key,
    removed boolean not null default false,
    reason text not null check (length(reason) between 1 and 200),
    actor text not null,
    created_at timestamptz not null default fleet_now()
);

-- What others told us. The second copy of a fact is a no-op; one that tells anything else is another.
create table fact (
    fact bigint generated always as identity primary key,
    source text not null check (octet_length(source) <= 128),
    fact_type text not null check (octet_length(fact_type) <= 64),
    reference text not null check (octet_length(reference) <= 512),
    -- a card gateway's kind and word, 128 characters each
    status text not null check (octet_length(status) <= 1100),
    external_id text not null check (octet_length(external_id) <= 512),
    purchase uuid,
    kind smallint,
    slot integer,
    -- a keyed digest of all else that it tells and that matters; empty of our own answers
    meaning bytea not null,
    body_sealed bytea,
    received_at timestamptz not null,
    -- how often its source was asked about it and did not confirm it, and when last
    asks integer not null default 0,
    asked_at timestamptz,
    -- a person decided that nothing follows from it
    discarded boolean not null default false,
    constraint fact_once unique (source, fact_type, reference, status, external_id, meaning)
);
create index fact_task on fact (purchase, kind, slot) where purchase is not null;
create index fact_unmatched on fact (fact) where purchase is null and not discarded;
create index fact_unmatched_source on fact (source, fact) where purchase is null;

-- The fraud desk's tokens: state, stickiness, the week and "one in flight" belong to the token,
-- whichever purchases name it. The hash is of desk and token.
create table fraud_token (
    token_hash bytea primary key,
    desk text not null,
    token_sealed bytea not null,
    known_at timestamptz not null,
    -- one week after the token was made
    expires_at timestamptz not null,
    told text not null default 'nothing_sent'
        check (told in ('nothing_sent', 'failed_sent', 'success_sent')),
    -- a purchase that names it was dispensed: from then on no failure is reported
    success_due boolean not null default false,
    -- the claim whose report is in flight, or the purchase that is next
    busy_with uuid,
    promised_to uuid,
    busy_until timestamptz,
    -- the first purchase's; every validation of the token carries it
    validate_timestamp text,
    is_valid boolean,
    threat_code bigint,
    threat_flags text,
    validated_at timestamptz
) with (fillfactor = 70);

-- One row for each purchase that names a token, from its acceptance on; without a token the row
-- comes with the word that there was nothing to report.
create table fraud_report (
    purchase uuid primary key,
    token_hash bytea,
    state text not null check (state in ('queued', 'reported', 'superseded', 'expired', 'dead',
                                         'not_needed')),
    success boolean,
    -- since when it waits for another report on its token to end
    waits_since timestamptz,
    reported_at timestamptz,
    created_at timestamptz not null
) with (fillfactor = 70);
create index fraud_report_token on fraud_report (token_hash);

-- Operations --------------------------------------------------------------------------------------

create table dead_letter (
    letter uuid primary key,
    received_at timestamptz not null,
    queue text not null,
    cause text not null check (length(cause) <= 64),
    detail text not null default '',
    message_id text,
    headers jsonb not null default '{}',
    body_sealed bytea not null,
    body_bytes integer not null,
    state text not null default 'new' check (state in ('new', 'replayed', 'discarded', 'stored')),
    actor text,
    decided_at timestamptz
);
-- A letter is listed by where it stands and why it is dead; history is not read for what is new.
create index dead_letter_state on dead_letter (state, cause, received_at, letter);

-- Live processes: the clock reads from them what has reached a worker, and permits are leased by them.
create table heartbeat (
    process uuid not null,
    kind smallint not null,
    service text not null,
    alive_at timestamptz not null,
    watermark timestamptz,
    unclaimed integer not null default 0,
    -- beats are numbered: one that comes in late says nothing
    number bigint not null default 0,
    -- until then calls of this process may be under way, whatever became of it: its lease + its
    -- longest call
    calls_until timestamptz not null,
    primary key (process, kind)
) with (fillfactor = 50);

-- How a lane's permits are split: each counts until its process gives it back, or until that one's
-- calls can no longer be under way. `need` is what the process could use.
create table lane_permit (
    lane integer not null,
    process uuid not null,
    kind smallint not null,
    permits integer not null check (permits >= 0),
    need integer not null check (need >= 0),
    -- its circuit is open: of these one holds a permit at a time
    probe boolean not null default false,
    primary key (lane, process)
) with (fillfactor = 50);
create index lane_permit_process on lane_permit (process, kind);

-- What all processes share of a lane beside its permits: when the next call at its rate is due.
create table lane_state (
    lane integer primary key,
    next_call_at timestamptz
) with (fillfactor = 50);
