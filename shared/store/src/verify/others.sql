-- I1 always
-- One client reference is one purchase.
-- Do: the buyer may have paid twice; a unique constraint is missing.
select min(p.purchase::text)::uuid as purchase, format('%s purchases', count(*)) as detail
from purchase p
group by p.client_id, p.client_txn_ref
having count(*) > 1;

-- I6 always
-- A fact is stored once.
-- Do: a unique constraint is missing; compare the fact's copies.
select max(f.purchase::text)::uuid as purchase, format('%s of %s, %s copies', f.fact_type, f.source, count(*)) as detail
from fact f
group by f.source, f.fact_type, f.reference, f.status, f.external_id, f.meaning
having count(*) > 1;

-- I7 always
-- What others told of a purchase was read: no task that has facts it did not see waits for anything but its turn.
-- Do: start the kind's worker.
select t.purchase, format('kind %s, %s facts', t.kind, t.signals) as detail
from task t
where t.state = 4 and t.kind <> 8 and t.parked_at < (
    select max(f.received_at) from fact f
    where f.purchase = t.purchase and f.kind = t.kind and f.slot = t.slot);

-- T1 always
-- What belongs to a purchase belongs to its client.
-- Do: a client may have been told of another's purchase; stop its channel until it is explained.
select x.purchase, format('%s of client %s, the purchase is of client %s', x.what, x.client_id, p.client_id) as detail
from (select purchase, client_id, 'result' as what from delivery
      union all select purchase, client_id, 'books' from ledger_entry
      union all select purchase, client_id, 'reservation' from reservation_reference) x
join purchase p on p.purchase = x.purchase
where x.client_id <> p.client_id;

-- D2 always
-- A dead letter that was decided tells who decided it, when and why, and nothing is decided of a new one.
-- Do: the row was written by hand; write who and why.
select null::uuid as purchase, format('letter %s is %s', d.letter, d.state) as detail
from dead_letter d
left join lateral (
    select x.actor, x.reason from dead_letter_decision x
    where x.letter = d.letter and case d.state
        when 'stored' then x.outcome in ('stored', 'already_stored')
        when 'discarded' then x.outcome = 'discarded' end
    limit 1) x on true
where d.state <> 'new' and (coalesce(d.actor, '') = '' or d.decided_at is null
                            or coalesce(x.actor, '') = '' or coalesce(x.reason, '') = '')
   or d.state = 'new' and exists (
    select 1 from dead_letter_decision x where x.letter = d.letter and x.outcome <> 'refused');

-- D3 always
-- A replay decides about each of its letters once, and about all of them unless it was stopped.
-- Do: fleet dead continue decides about those that are left; twice: a unique constraint is missing.
select min(x.purchase::text)::uuid as purchase, format('letter %s has %s outcomes in replay %s', x.letter, count(*), x.replay) as detail
from dead_letter_decision x
group by x.letter, x.replay
having count(*) > 1
union all
select null, format('letter %s has no outcome in replay %s, which is done with it', r.letter, r.replay)
from replay p
join replay_letter r on r.replay = p.replay
where (p.ended = 'done' or r.state = 'decided') and not exists (
    select 1 from dead_letter_decision x where x.letter = r.letter and x.replay = r.replay)
union all
select null, format('replay %s has %s letters and lists %s', p.replay, p.letters, count(r.letter))
from replay p
left join replay_letter r on r.replay = p.replay
group by p.replay
having p.letters <> count(r.letter);

-- D5 always
-- A callback that was decided is matched to its purchase, or belongs to none.
-- Do: one of the rows was written by hand; compare the two purchases and say which one it is.
select d.purchase, format('callback %s is %s', d.fact, d.action) as detail
from fact_decision d
left join fact f on f.fact = d.fact
where f.fact is null or f.purchase is distinct from d.purchase
   or f.discarded <> (d.action = 'discarded');

-- P1 always
-- No text of ours holds what looks like a card number: 13 to 19 digits that pass Luhn.
-- Do: a secret is out; clean the row, and close the way that it came.
select t.purchase, t.place as detail
from (select purchase, 'journal' as place, detail as text from journal where detail <> ''
      union all select purchase, 'parked task', park_cause from task where park_cause is not null
      union all select null, 'dead letter', cause || ' ' || detail from dead_letter
      union all select purchase, 'decision about a dead letter', concat_ws(' ', cause, detail, reason) from dead_letter_decision
      union all select null, 'replay', concat_ws(' ', reason, criteria) from replay
      union all select purchase, 'decision about a callback', reason from fact_decision
      union all select purchase, 'transaction that is not shown', reason from transaction_hold) t
cross join lateral regexp_matches(t.text, '(?:^|[^0-9a-fA-F-])([3-6][0-9]{12,18})(?![0-9a-fA-F-])', 'g') m
where (select sum(case when mod(i, 2) = 1 then d when d > 4 then 2 * d - 9 else 2 * d end) % 10
       from (select substr(reverse(m[1]), i, 1)::integer as d, i
             from generate_series(1, length(m[1])) i) digits) = 0;

-- P2 always
-- Keys of clients are kept as digests of 32 bytes.
-- Do: give the client a new key, import it, and look at how the old one came here.
select null::uuid as purchase, format('client %s', c.client_id) as detail
from client c
where exists (select 1 from unnest(c.api_key_hashes) h where octet_length(h) <> 32);
