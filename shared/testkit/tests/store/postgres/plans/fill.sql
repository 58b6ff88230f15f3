-- :count purchases more, each like the one of the reference :like, with a row of all that belongs to one.
with filler as (
    insert into purchase
    select r.*
    from purchase p
    cross join generate_series(1, :count) n
    cross join lateral jsonb_populate_record(p, jsonb_build_object(
        'purchase', gen_random_uuid(), 'client_txn_ref', format('many-%s-%s', n, gen_random_uuid()),
        'source_hash', uuid_send(gen_random_uuid()))) r
    where p.client_txn_ref = ':like'
    returning purchase, client_id
), tasks as (
    insert into task (purchase, kind, slot, state, due_at, lane, client, created_at)
    select f.purchase, k.kind, 0, 1, fleet_now() + interval '1 year', 99, f.client_id, fleet_now()
    from filler f cross join unnest('{1,2,3,5,7}'::smallint[]) as k (kind)
), deliveries as (
    insert into delivery (purchase, slot, client_id, channel, body_sealed, created_at)
    select f.purchase, 1, f.client_id, 'transact_result', '\x00', fleet_now() from filler f
), undelivereds as (
    insert into undelivered (purchase, slot, client_id, channel, state, ended_at)
    select f.purchase, 1, f.client_id, 'transact_result', 'failed', fleet_now() from filler f
), notifications as (
    insert into notification (client_id, client_notification_ref, purchase, slot, fingerprint,
                              created_at)
    select f.client_id, f.purchase::text, f.purchase, 200, '\x00', fleet_now() from filler f
), tokens as (
    insert into fraud_token (token_hash, desk, token_sealed, known_at, expires_at)
    select uuid_send(f.purchase), 'desk', '\x00', fleet_now(), fleet_now() from filler f
), reports as (
    insert into fraud_report (purchase, token_hash, state, created_at)
    select f.purchase, uuid_send(f.purchase), 'queued', fleet_now() from filler f
), facts as (
    insert into fact (source, fact_type, reference, status, external_id, purchase, kind, slot,
                      meaning, received_at)
    select 'many', 'vend', f.purchase::text, '0000', '', f.purchase, 2, 0, '', fleet_now()
    from filler f
), "references" as (
    insert into reservation_reference (client_id, reference, purchase)
    select f.client_id, f.purchase::text, f.purchase from filler f
), books as (
    insert into ledger_entry (purchase, step, entry, client_id, funding_source, currency, amount)
    select f.purchase, 1, 'reserved', f.client_id, 'many', 'ZAR', 1 from filler f
), results as (
    insert into result (purchase, client_id, ended_at)
    select f.purchase, f.client_id, fleet_now() from filler f
), charges as (
    insert into charge (funding_source, reference, purchase)
    select 'zz-many', f.purchase::text, f.purchase from filler f
), pages as (
    insert into payment_page (purchase, url_sealed) select f.purchase, '\x00' from filler f
)
insert into journal (purchase, kind, outcome) select f.purchase, 2, 'many' from filler f
