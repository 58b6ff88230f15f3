-- :count purchases that ended two days ago and before, with all that belongs to them, and as much of
-- everything else that is decided: what no operator's command may read to tell what is open.
create temp table h as
select n, at, (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7000' || '8'
               || lpad(to_hex(n), 15, '0'))::uuid as id
from (select n, now() - interval '2 days' - (:count - n) * interval '1 second' as at
      from generate_series(1, :count) n) a;

insert into purchase (purchase, client_id, client_txn_ref, fingerprint, way_in, scenario, funding,
    funding_source, product_id, supplier, currency, purchase_amount, fee_amount, channel_id,
    source_sealed, source_hash, target_sealed, target_hash, details_sealed, start_by, created_at,
    reserve_state, reservation, dispense_state, settle_as, settle_state)
select id, 1001, 'history-' || n, '\x00', 'http', 'we_reserve', 'bank', 'sample-bank', 101,
       'supplier-lookup', 'ZAR', 3400, 50, 3, sha256(n::text::bytea), '\x00',
       sha256(n::text::bytea), '\x00', sha256(n::text::bytea), at, at, 'reserved', 'r' || n,
       'dispensed', 'capture', 'captured'
from h;

insert into ledger_entry (purchase, step, entry, client_id, funding_source, currency, amount, at)
select id, step, entry, 1001, 'sample-bank', 'ZAR', 3450, at
from h cross join (values (1, 'reserved'), (2, 'captured'), (3, 'kept')) e (step, entry);

insert into journal (at, purchase, kind, outcome)
select at + kind * interval '1 second', id, kind, outcome
from h cross join (values (1, 'reserved'), (2, 'dispensed'), (3, 'captured'), (5, 'acknowledged'),
                          (7, 'reported')) j (kind, outcome);

insert into delivery (purchase, slot, client_id, channel, body_sealed, state, attempts, first_sent_at,
                      last_sent_at, last_status, created_at)
select id, 1, 1001, 'ipn', '\x00', 'sent', 1, at, at, 200, at from h;

insert into result (purchase, client_id, ended_at, seq) select id, 1001, at, n from h;

insert into fraud_report (purchase, state, created_at) select id, 'not_needed', at from h;

insert into fact (source, fact_type, reference, status, external_id, meaning, purchase, kind, slot,
                  received_at, discarded)
select 'callback:supplier-callback', 'vend', id::text, 'done', n::text, '',
       case when n % 2 = 0 then id end, 2, 0, at, n % 2 = 1
from h;
insert into fact_decision (fact, action, reason, actor)
select fact, 'discarded', 'nothing follows', 'mia' from fact where discarded;

insert into dead_letter (letter, received_at, queue, cause, body_sealed, body_bytes, state, actor,
                         decided_at)
select id, at, 'fleet.requested', 'invalid', '\x00', 1, 'discarded', 'mia', at from h;
insert into dead_letter_decision (letter, outcome, actor, reason)
select id, 'discarded', 'mia', 'nothing follows' from h;

insert into replay (replay, actor, reason, criteria, letters, rate, stop_at, ended, ended_at)
select id, 'mia', 'mended', '{}', 1, 1, 1, 'done', at from h;

insert into directory_history (version, actor, section, key, change_kind, fields)
select n, 'mia', 'terms', '1001 ' || n % 100, 'changed', '{}' from h;
