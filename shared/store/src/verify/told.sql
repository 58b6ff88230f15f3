-- N1 always
-- A result, and a message that follows from it, is told of a purchase that has ended, never before.
-- Do: the client was told too early; tell it again once the purchase has ended.
select p.purchase, format('slot %s by %s', d.slot, d.channel) as detail
from delivery d
join purchase p on p.purchase = d.purchase
where d.slot < 200 and p.reserve_state not in ('refused', 'failed')
  and p.dispense_state not in ('dispensed', 'failed');

-- N2 always
-- A result was acknowledged only after it was sent, and has failed only after it was tried.
-- Do: fleet delivery resend.
select d.purchase, format('%s after %s attempts', d.state, d.attempts) as detail
from delivery d
where d.state in ('sent', 'disabled') and (d.attempts = 0 or d.first_sent_at is null)
   or d.state = 'failed' and not exists (
      select 1 from journal j
      where j.purchase = d.purchase and j.kind in (5, 6) and j.slot = d.slot
        and j.token is not null);

-- N3 always
-- Acknowledged means a 2xx was seen, disabled means a 410.
-- Do: fleet delivery resend.
select d.purchase, format('%s with status %s', d.state, d.last_status) as detail
from delivery d
where d.state = 'sent' and coalesce(d.last_status, 0) not between 200 and 299
   or d.state = 'disabled' and d.last_status is distinct from 410;

-- N4 always live
-- A result that is not yet acknowledged has a task, and one whose end has come has none.
-- Do: fleet delivery resend makes the task again.
select d.purchase, format('slot %s is %s', d.slot, d.state) as detail
from delivery d
left join task t on t.purchase = d.purchase and t.slot = d.slot
                and t.kind = case when d.slot < 100 then 5 else 6 end
where (d.state in ('queued', 'retrying')) <> (t.purchase is not null);

-- N5 always
-- Every attempt has its line in the journal.
-- Do: proof of an attempt is missing; look for deleted partitions of the journal.
select d.purchase, format('slot %s: %s attempts, %s lines', d.slot, d.attempts, lines.count) as detail
from delivery d
cross join lateral (
    select count(*) from journal j
    where j.purchase = d.purchase and j.kind in (5, 6) and j.slot = d.slot
      and j.token is not null) lines
where d.attempts > lines.count;

-- N6 always
-- Exactly the purchases that have ended are in their client's feed of results.
-- Do: the feed lacks a result or tells of one too early; look in the journal for who ended it.
select p.purchase, format('reserve %s, dispense %s, in the feed: %s', p.reserve_state,
                          p.dispense_state, r.purchase is not null) as detail
from purchase p
left join result r on r.purchase = p.purchase
where (p.reserve_state in ('refused', 'failed') or p.dispense_state in ('dispensed', 'failed'))
      <> (r.purchase is not null and r.client_id = p.client_id);

-- N7 always
-- The numbers of a client's feed begin with 1 and have no gap.
-- Do: tell the client which numbers are missing; none may be given again.
select null::uuid as purchase, format('client %s: %s results, numbers up to %s', r.client_id,
                                      count(r.seq), max(r.seq)) as detail
from result r
group by r.client_id
having count(r.seq) <> coalesce(max(r.seq), 0);

-- N8 always
-- Who is told of a success is told of goods that are out, who is told of a failure of none.
-- Do: tell buyer or recipient the truth; look at the purchase's journal for a late fact.
select p.purchase, format('slot %s, dispense is %s', d.slot, p.dispense_state) as detail
from delivery d
join purchase p on p.purchase = d.purchase
where d.slot in (100, 102) and p.dispense_state <> 'dispensed'
   or d.slot in (101, 103) and p.dispense_state = 'dispensed';

-- N9 always
-- A message that a client asked for has its row, and no such row came another way.
-- Do: fleet delivery show; a notification without its row was accepted and lost, tell the client.
select coalesce(n.purchase, d.purchase) as purchase,
       format('slot %s of client %s', coalesce(n.slot, d.slot),
              coalesce(n.client_id, d.client_id)) as detail
from notification n
full join (select * from delivery where slot >= 200) d
       on d.purchase = n.purchase and d.slot = n.slot and d.client_id = n.client_id
where n.purchase is null or d.purchase is null;

-- N10 always
-- Exactly the results that have ended without an acknowledgement are listed for people.
-- Do: the row was written by hand; fleet delivery resend writes both.
select coalesce(d.purchase, u.purchase) as purchase,
       format('slot %s is %s, listed as %s', coalesce(d.slot, u.slot), d.state, u.state) as detail
from (select * from delivery where state in ('failed', 'disabled')) d
full join undelivered u on u.purchase = d.purchase and u.slot = d.slot
where d.state is distinct from u.state;

-- F1 always
-- A success that a desk was told of a token stays.
-- Do: report the success again by hand.
select r.purchase, format('token is %s', k.told) as detail
from fraud_report r
join fraud_token k on k.token_hash = r.token_hash
where r.state = 'reported' and r.success and k.told <> 'success_sent';

-- F2 always
-- A success is reported only of goods that are out, a failure only of a purchase that failed.
-- Do: correct it with the desk within the token's week.
select r.purchase, format('told %s, dispense is %s', r.success, p.dispense_state) as detail
from fraud_report r
join purchase p on p.purchase = r.purchase
where r.state = 'reported'
  and (r.success is null or r.reported_at is null
       or r.success <> (p.dispense_state = 'dispensed')
       or not r.success and p.dispense_state <> 'failed' and p.reserve_state not in ('refused', 'failed'));

-- F3 always
-- A report that is not yet made has a task, once its purchase has ended.
-- Do: as S3.
select r.purchase, 'queued without a task' as detail
from fraud_report r
join purchase p on p.purchase = r.purchase
where r.state = 'queued'
  and (p.reserve_state in ('refused', 'failed') or p.dispense_state in ('dispensed', 'failed'))
  and not exists (select 1 from task t where t.purchase = r.purchase and t.kind = 7);

-- F4 always
-- One report is in flight per token.
-- Do: the desk may have taken them in the wrong order; ask it for the token's state.
select min(t.purchase::text)::uuid as purchase, format('%s reports in flight', count(*)) as detail
from task t
join fraud_report r on r.purchase = t.purchase
where t.kind = 7 and t.state = 2 and t.lease > (select fleet_now()) and r.token_hash is not null
group by r.token_hash
having count(*) > 1;

-- F5 always
-- A token that is busy is so with a claim that runs.
-- Do: it is free when its time is over; look for a commit that gave nothing back.
select r.purchase, format('busy until %s', k.busy_until) as detail
from fraud_token k
join fraud_report r on r.token_hash = k.token_hash
where k.busy_with is not null and k.busy_until > (select fleet_now())
  and not exists (
      select 1 from fraud_report o
      join task t on t.purchase = o.purchase and t.kind = 7
      where o.token_hash = k.token_hash and t.state = 2 and t.token = k.busy_with);
