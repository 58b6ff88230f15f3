-- Intake, imports of the directory, and the journal's partitions.

-- Stores purchases with their first task and says what is there now, in one round trip. The insert
-- waits for whoever stores the same reference at this moment; the second statement then sees it.
create function fleet_accept_v1(
    p_purchase uuid[], p_client bigint[], p_ref text[], p_fingerprint bytea[], p_way_in text[],
    p_scenario text[], p_funding text[], p_funding_source text[], p_product bigint[],
    p_supplier text[], p_currency text[], p_amount bigint[], p_fee bigint[],
    p_reservation text[], p_channel integer[], p_source bytea[], p_source_hash bytea[],
    p_target bytea[], p_target_hash bytea[], p_account bytea[], p_account_hash bytea[],
    p_details bytea[], p_start_by timestamptz[], p_reserve_state text[],
    t_kind smallint[], t_slot integer[], t_lane integer[], t_start_by timestamptz[],
    t_deadline timestamptz[],
    k_hash bytea[], k_desk text[], k_sealed bytea[], k_made timestamptz[], k_timestamp text[],
    p_refuse_similar boolean[]
) returns table (idx integer, db_now timestamptz, is_new boolean, about purchase, similar_to uuid)
language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_new uuid[];
    v_similar uuid[] := '{}';
    v_similar_to uuid[] := '{}';
begin
    if true = any (p_refuse_similar) then
        select s.refused, s.similar_to into v_similar, v_similar_to
        from fleet_similar_v1(p_purchase, p_client, p_ref, p_product, p_amount, p_source_hash,
                              p_target_hash, p_refuse_similar, v_now) s;
    end if;

    with stored as (
        insert into purchase (
            purchase, client_id, client_txn_ref, fingerprint, way_in, scenario, funding,
            funding_source, product_id, supplier, currency, purchase_amount, fee_amount,
            client_reservation, channel_id, source_sealed, source_hash, target_sealed, target_hash,
            account_sealed, account_hash, details_sealed, start_by, created_at, reserve_state,
            dispense_state, settle_state)
        select a.purchase, a.client, a.ref, a.fingerprint, a.way_in, a.scenario, a.funding,
               a.funding_source, a.product, a.supplier, a.currency, a.amount, a.fee, a.reservation,
               a.channel, a.source, a.source_hash, a.target, a.target_hash, a.account,
               a.account_hash, a.details, a.start_by, v_now, a.reserve_state, 'not_started',
               'not_started'
        from unnest(p_purchase, p_client, p_ref, p_fingerprint, p_way_in, p_scenario, p_funding,
                    p_funding_source, p_product, p_supplier, p_currency, p_amount, p_fee,
                    p_reservation, p_channel, p_source, p_source_hash, p_target, p_target_hash,
                    p_account, p_account_hash, p_details, p_start_by, p_reserve_state)
             with ordinality
             as a (purchase, client, ref, fingerprint, way_in, scenario, funding, funding_source,
                   product, supplier, currency, amount, fee, reservation, channel, source,
                   source_hash, target, target_hash, account, account_hash, details, start_by,
                   reserve_state, i)
        where a.purchase <> all (v_similar)
        -- In key order: two batches of the same references wait for each other, never in a ring.
        order by a.client, a.ref, a.i
        on conflict do nothing
        returning purchase.purchase)
    select coalesce(array_agg(stored.purchase), '{}') into v_new from stored;

    insert into task (purchase, kind, slot, state, due_at, lane, client, hinted_at, start_by,
                      deadline_at, created_at)
    select a.purchase, a.kind, a.slot, 1, v_now + interval '10 seconds', a.lane, a.client, v_now,
           a.start_by, a.deadline, v_now
    from unnest(p_purchase, p_client, t_kind, t_slot, t_lane, t_start_by, t_deadline)
         as a (purchase, client, kind, slot, lane, start_by, deadline)
    where a.purchase = any (v_new);

    insert into reservation_reference (client_id, reference, purchase)
    select a.client, a.reservation, a.purchase
    from unnest(p_purchase, p_client, p_reservation) as a (purchase, client, reservation)
    where a.purchase = any (v_new) and a.reservation is not null;

    -- A token is known from the first purchase that names it; a later one does not lengthen its week.
    if exists (select 1 from unnest(k_hash) as h (hash) where h.hash is not null) then
        insert into fraud_token (token_hash, desk, token_sealed, known_at, expires_at,
                                 validate_timestamp)
        select a.hash, a.desk, a.sealed, v_now,
               least(coalesce(a.made, v_now), v_now) + interval '7 days', a.timestamp
        from unnest(p_purchase, k_hash, k_desk, k_sealed, k_made, k_timestamp)
             with ordinality as a (purchase, hash, desk, sealed, made, timestamp, i)
        where a.hash is not null and a.purchase = any (v_new)
        order by a.hash, a.i
        on conflict do nothing;
        insert into fraud_report (purchase, token_hash, state, created_at)
        select a.purchase, a.hash, 'queued', v_now
        from unnest(p_purchase, k_hash) as a (purchase, hash)
        where a.hash is not null and a.purchase = any (v_new);
    end if;

    -- What is new is read by its number, what was there before by its reference: a key that is null
    -- is not looked for.
    return query
    select a.i::integer, v_now, n.purchase is not null, coalesce(n, o), s.similar_to
    from (select u.*, case when u.purchase = any (v_new) then u.purchase end as new
          from unnest(p_purchase, p_client, p_ref) with ordinality as u (purchase, client, ref, i)
          offset 0) a
    left join purchase n on n.purchase = a.new
    left join purchase o on o.client_id = a.client
                        and o.client_txn_ref = case when a.new is null then a.ref end
    left join unnest(v_similar, v_similar_to) as s (refused, similar_to) on s.refused = a.purchase
    order by a.i;
end $$;

create function fleet_client_credentials() returns trigger language plpgsql as $$
begin
    delete from client_credential c where c.client_id = new.client_id;
    insert into client_credential (hash, client_id)
    select distinct h, new.client_id
    from unnest(new.api_key_hashes || new.oauth_secret_hashes) h;
    return null;
end $$;

create trigger client_credentials after insert or update of api_key_hashes, oauth_secret_hashes
on client for each row execute function fleet_client_credentials();

-- Writes the rows of an import that differ from what is there. The caller compared them with one
-- version of the directory: when that is no longer the present one, nothing is written and the
-- answer is null.
create function fleet_import_v1(p_seen_version bigint, p_rows jsonb, p_actor text, p_reason text)
returns bigint
language plpgsql volatile as $$
declare
    v_version bigint;
begin
    select version into v_version from directory_version for update;
    if v_version <> p_seen_version then
        return null;
    end if;

    insert into client as c (client_id, name, active, sandbox, api_key_hashes, signature_secret_sealed,
                             signature_required, broker_users, answer_within_ms,
                             start_within_seconds, default_funding_source, ipn_account_id,
                             ipn_key_sealed, ipn_form, ipn_failures, oauth_secret_hashes,
                             token_required, refuse_similar, card, references_are_numbers, desk)
    select r.client_id, r.name, r.active, r.sandbox,
           array(select decode(h, 'hex') from unnest(r.api_key_hashes) h),
           decode(r.signature_secret_sealed, 'hex'), r.signature_required, r.broker_users,
           r.answer_within_ms, r.start_within_seconds, r.default_funding_source, r.ipn_account_id,
           decode(r.ipn_key_sealed, 'hex'), r.ipn_form, r.ipn_failures,
           array(select decode(h, 'hex') from unnest(r.oauth_secret_hashes) h), r.token_required,
           r.refuse_similar, r.card, r.references_are_numbers, r.desk
    from jsonb_to_recordset(p_rows -> 'clients') as r (
        client_id bigint, name text, active boolean, sandbox boolean, api_key_hashes text[],
        signature_secret_sealed text, signature_required boolean, broker_users text[],
        answer_within_ms integer, start_within_seconds integer, default_funding_source text,
        ipn_account_id text, ipn_key_sealed text, ipn_form text, ipn_failures boolean,
        oauth_secret_hashes text[],
        token_required boolean, refuse_similar boolean, card jsonb,
        references_are_numbers boolean, desk text)
    on conflict (client_id) do update
    set name = excluded.name, active = excluded.active, sandbox = excluded.sandbox,
        api_key_hashes = excluded.api_key_hashes,
        signature_secret_sealed = excluded.signature_secret_sealed,
        signature_required = excluded.signature_required, broker_users = excluded.broker_users,
        answer_within_ms = excluded.answer_within_ms,
        start_within_seconds = excluded.start_within_seconds,
        default_funding_source = excluded.default_funding_source,
        ipn_account_id = excluded.ipn_account_id, ipn_key_sealed = excluded.ipn_key_sealed,
        ipn_form = excluded.ipn_form, ipn_failures = excluded.ipn_failures,
        oauth_secret_hashes = excluded.oauth_secret_hashes,
        token_required = excluded.token_required, refuse_similar = excluded.refuse_similar,
        references_are_numbers = excluded.references_are_numbers,
        card = excluded.card, desk = excluded.desk;
    set constraints client_credential_of_one_client immediate;
    delete from client_channel h
    using jsonb_to_recordset(p_rows -> 'clients') as r (client_id bigint)
    where h.client_id = r.client_id;
    insert into client_channel (client_id, channel, url)
    select r.client_id, h.key, h.value
    from jsonb_to_recordset(p_rows -> 'clients') as r (client_id bigint, channels jsonb)
    cross join lateral jsonb_each_text(r.channels) h;

    insert into connector (name, party, adapter, base_url, plain_http, inquiry, settle_time_seconds,
                           call_deadline_ms, callback_wait_seconds, hold_seconds,
                           hold_margin_seconds, secret_sealed, codes, active, sandbox, desk,
                           desk_msisdn_key_sealed, mo, account, authenticate,
                           certificate_key_sealed, callers_sealed)
    select r.name, r.party, r.adapter, r.base_url, r.plain_http, r.inquiry, r.settle_time_seconds,
           r.call_deadline_ms, r.callback_wait_seconds, r.hold_seconds, r.hold_margin_seconds,
           decode(r.secret_sealed, 'hex'), r.codes, r.active, r.sandbox, r.desk,
           decode(r.desk_msisdn_key_sealed, 'hex'), r.mo, r.account, r.authenticate,
           decode(r.certificate_key_sealed, 'hex'), decode(r.callers_sealed, 'hex')
    from jsonb_to_recordset(p_rows -> 'connectors') as r (
        name text, party text, adapter text, base_url text, plain_http boolean, inquiry text,
        settle_time_seconds integer, call_deadline_ms integer, callback_wait_seconds integer,
        hold_seconds integer, hold_margin_seconds integer, secret_sealed text, codes jsonb,
        active boolean, sandbox boolean, desk jsonb,
        desk_msisdn_key_sealed text, mo jsonb, account text, authenticate jsonb,
        certificate_key_sealed text, callers_sealed text)
    on conflict (name) do update
    set party = excluded.party, adapter = excluded.adapter, base_url = excluded.base_url,
        plain_http = excluded.plain_http,
        inquiry = excluded.inquiry, settle_time_seconds = excluded.settle_time_seconds,
        call_deadline_ms = excluded.call_deadline_ms,
        callback_wait_seconds = excluded.callback_wait_seconds,
        hold_seconds = excluded.hold_seconds,
        hold_margin_seconds = excluded.hold_margin_seconds, secret_sealed = excluded.secret_sealed,
        codes = excluded.codes, active = excluded.active, sandbox = excluded.sandbox,
        desk = excluded.desk,
        desk_msisdn_key_sealed = excluded.desk_msisdn_key_sealed, mo = excluded.mo,
        account = excluded.account, authenticate = excluded.authenticate,
        certificate_key_sealed = excluded.certificate_key_sealed,
        callers_sealed = excluded.callers_sealed;

    -- After the connectors, which it names.
    delete from client_notify n
    using jsonb_to_recordset(p_rows -> 'clients') as r (client_id bigint)
    where n.client_id = r.client_id;
    insert into client_notify (client_id, sms, email, language)
    select r.client_id, r.notify ->> 'sms', r.notify ->> 'email', r.notify ->> 'language'
    from jsonb_to_recordset(p_rows -> 'clients') as r (client_id bigint, notify jsonb);

    insert into product (product_id, name, product_type, product_type_id, description,
                         short_description, vendor_id, vendor, channels, supplier, currency,
                         min_amount, max_amount, fee_fixed, fee_basis_points, mo, desk, active)
    select r.product_id, r.name, r.product_type, r.product_type_id, r.description,
           r.short_description, r.vendor_id, r.vendor, r.channels, r.supplier, r.currency,
           r.min_amount, r.max_amount, r.fee_fixed, r.fee_basis_points, r.mo, r.desk, r.active
    from jsonb_to_recordset(p_rows -> 'products') as r (
        product_id bigint, name text, product_type text, product_type_id bigint, description text,
        short_description text, vendor_id bigint, vendor text, channels integer[], supplier text,
        currency text, min_amount bigint, max_amount bigint, fee_fixed bigint,
        fee_basis_points bigint, mo jsonb, desk text, active boolean)
    on conflict (product_id) do update
    set name = excluded.name, product_type = excluded.product_type,
        product_type_id = excluded.product_type_id, description = excluded.description,
        short_description = excluded.short_description, vendor_id = excluded.vendor_id,
        vendor = excluded.vendor, channels = excluded.channels, supplier = excluded.supplier,
        currency = excluded.currency, min_amount = excluded.min_amount,
        max_amount = excluded.max_amount, fee_fixed = excluded.fee_fixed,
        fee_basis_points = excluded.fee_basis_points, mo = excluded.mo, desk = excluded.desk,
        active = excluded.active;

    insert into lane (kind, owner, concurrency, rate_per_second)
    select r.kind, r.owner, r.concurrency, r.rate_per_second
    from jsonb_to_recordset(p_rows -> 'lanes') as r (
        kind smallint, owner text, concurrency integer, rate_per_second integer)
    on conflict (kind, owner) do update
    set concurrency = excluded.concurrency, rate_per_second = excluded.rate_per_second;

    insert into retry_plan (kind, owner, class, version, delays_seconds)
    select r.kind, r.owner, r.class, r.version, r.delays_seconds
    from jsonb_to_recordset(p_rows -> 'plans') as r (
        kind smallint, owner text, class text, version integer, delays_seconds integer[]);

    insert into failure_reason (connector, code, reason)
    select r.connector, r.code, r.reason
    from jsonb_to_recordset(p_rows -> 'reasons') as r (connector text, code text, reason text)
    on conflict (connector, code) do update set reason = excluded.reason;

    insert into notify_template (client_id, event, language, text)
    select r.client_id, r.event, r.language, r.text
    from jsonb_to_recordset(p_rows -> 'templates') as r (
        client_id bigint, event text, language text, text text)
    on conflict (client_id, event, language) do update set text = excluded.text;

    insert into source_blacklist (source_hash, reason)
    select decode(r.source_hash, 'hex'), r.reason
    from jsonb_to_recordset(p_rows -> 'sources') as r (source_hash text, reason text)
    on conflict (source_hash) do update set reason = excluded.reason;

    perform fleet_import_catalogue_v1(p_rows);
    update directory_version set version = version + 1 returning version into v_version;
    perform fleet_import_history_v1(v_version, p_actor, p_reason, p_rows);
    return v_version;
end $$;

-- Makes the journal's partitions for the present month and the next ones. A month that has rows in
-- the default partition already stays there.
create function fleet_prepare_partitions(p_months_ahead integer) returns integer
language plpgsql volatile as $$
declare
    v_begin timestamptz;
    v_end timestamptz;
    v_name text;
    v_made integer := 0;
begin
    perform pg_advisory_xact_lock(71, 0);
    for v_month in 0 .. p_months_ahead loop
        v_begin := (date_trunc('month', clock_timestamp() at time zone 'utc')
                    + make_interval(months => v_month)) at time zone 'utc';
        v_end := (date_trunc('month', clock_timestamp() at time zone 'utc')
                  + make_interval(months => v_month + 1)) at time zone 'utc';
        v_name := 'journal_' || to_char(v_begin at time zone 'utc', 'YYYY_MM');
        continue when to_regclass(v_name) is not null;
        continue when exists (select 1 from journal_default j
                              where j.at >= v_begin and j.at < v_end);
        -- Made apart and attached: that does not lock out those who write to other partitions.
        execute format('create table %I (like journal including defaults including constraints)',
                       v_name);
        execute format('alter table journal attach partition %I for values from (%L) to (%L)',
                       v_name, v_begin, v_end);
        v_made := v_made + 1;
    end loop;
    return v_made;
end $$;

select fleet_prepare_partitions(2);

-- Tests only: moves the clock at an instant when no call is out, so that no lease that is being used
-- is over at once. The lock waits for every transaction that has read the clock.
create function fleet_advance_idle_clock_v1(p_by interval) returns boolean
language plpgsql as $$
begin
    lock table fleet_clock in access exclusive mode;
    if exists (select from task where state = 2) then
        return false;
    end if;
    update fleet_clock set ahead = ahead + p_by;
    return true;
end
$$;
