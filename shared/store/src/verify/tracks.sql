-- S1 always
-- Nothing is dispensed before the funds are certain.
-- Do: goods left without money; ask the source whether it holds the funds.
select p.purchase, format('dispense is %s, reserve is %s', p.dispense_state, p.reserve_state) as detail
from purchase p
where p.dispense_state <> 'not_started'
  and p.reserve_state not in ('reserved', 'charged', 'not_needed');

-- S2 always
-- Nothing is settled before the goods are decided.
-- Do: money moved too early; ask the supplier what became of the vend.
select p.purchase, format('settle is %s, dispense is %s', p.settle_state, p.dispense_state) as detail
from purchase p
where p.settle_state <> 'not_started' and p.dispense_state not in ('dispensed', 'failed');

-- S3 always live
-- Nothing waits in silence: a purchase that has not ended has a task of its stage.
-- Do: it is stuck for ever; show its journal to the engineers, who make the task again.
select p.purchase, format('reserve is %s, dispense is %s', p.reserve_state, p.dispense_state) as detail
from purchase p
where p.reserve_state not in ('refused', 'failed')
  and p.dispense_state not in ('dispensed', 'failed')
  and not exists (
      select 1 from task t
      where t.purchase = p.purchase
        and t.kind = case when p.reserve_state = 'validating' then 9
                          when p.reserve_state in ('pending', 'buyer_asked', 'reservation_unknown') then 1
                          else 2 end);

-- S4 always live
-- Money that waits for its end has a task: settle for a hold, refund for a charge, a parked case for what is owed.
-- Do: as S3.
select p.purchase, format('reserve is %s, dispense is %s, settle is %s', p.reserve_state,
                          p.dispense_state, p.settle_state) as detail
from purchase p
where (p.reserve_state = 'reserved' and p.dispense_state in ('dispensed', 'failed')
       and p.settle_state not in ('captured', 'cancelled')
       and not exists (select 1 from task t where t.purchase = p.purchase and t.kind = 3))
   or (p.reserve_state = 'charged' and p.dispense_state = 'failed'
       and p.settle_state <> 'refunded'
       and not exists (select 1 from task t where t.purchase = p.purchase and t.kind = 4));

-- S5 always
-- A stage that has ended has no task left.
-- Do: the task would be done a second time; park it, then show its journal to the engineers.
select t.purchase, format('kind %s, reserve %s, dispense %s, settle %s', t.kind, p.reserve_state,
                          p.dispense_state, p.settle_state) as detail
from task t
join purchase p on p.purchase = t.purchase
where t.kind = 9 and p.reserve_state <> 'validating'
   or t.kind = 1 and p.reserve_state not in ('pending', 'buyer_asked', 'reservation_unknown')
   or t.kind = 2 and p.dispense_state in ('dispensed', 'failed')
   or t.kind = 3 and p.settle_state in ('captured', 'cancelled')
   or t.kind = 4 and p.settle_state = 'refunded';

-- S6 always
-- A task belongs to a purchase.
-- Do: its purchase is gone, which nothing ever deletes; look for an operator's statement in the database's log.
select t.purchase, format('kind %s', t.kind) as detail
from task t
where not exists (select 1 from purchase p where p.purchase = t.purchase);

-- S7 always
-- A running task has its fence and lease, any other has none; a parked one tells its class and cause.
-- Do: the row was written by hand; put it right as the state says.
select t.purchase, format('kind %s state %s', t.kind, t.state) as detail
from task t
where t.state = 2 and (t.token is null or t.lease is null)
   or t.state <> 2 and t.token is not null
   or t.state = 4 and (t.park_class is null or coalesce(t.park_cause, '') = '')
   or t.state <> 4 and t.park_class is not null
   or t.state not between 1 and 4;

-- S8 settled live
-- Nothing is stuck: every task moved, waits for its time, its lane's turn, or a person.
-- Do: start the kind's worker, and look whether its clock runs (fleet_clock_due_total).
select t.purchase, format('kind %s state %s, due %s', t.kind, t.state, t.due_at) as detail
from task t
where t.state <> 4 and greatest(t.due_at, t.lease) < (select fleet_now()) - interval '15 minutes'
  -- Behind a slow or dead endpoint a task is due for hours, while the clock doles its lane out.
  and not (t.state = 3 and (t.kind, t.lane) in (
      select o.kind, o.lane from task o
      where o.hinted_at > (select fleet_now()) - interval '15 minutes'));

-- S9 always
-- Every accepted purchase left a trace: a task, or a line in its journal.
-- Do: it was accepted and lost; tell the client, and show the database's log to the engineers.
select p.purchase, 'neither a task nor a journal line' as detail
from purchase p
where not exists (select 1 from task t where t.purchase = p.purchase)
  and not exists (select 1 from journal j where j.purchase = p.purchase);

-- E5 always
-- A vend has another number only after its supplier refused the one before.
-- Do: it may be out twice; ask the supplier for both references.
select distinct j.purchase, format('vend %s without a refusal of vend %s', j.ref_no, j.ref_no - 1) as detail
from journal j
where j.kind = 2 and j.ref_no > 0
  and not exists (
      select 1 from journal before
      where before.purchase = j.purchase and before.kind = 2
        and before.ref_no = j.ref_no - 1 and before.outcome = 'refused_for_now');

-- E6 always
-- A stage ends once, and nothing is tried after its end.
-- Do: a second effect may have left; ask the other side for the purchase's references.
select j.purchase, format('kind %s: %s after %s', j.kind, j.outcome, ended.outcome) as detail
from journal ended
join journal j on j.purchase = ended.purchase and j.kind = ended.kind and j.slot = ended.slot
              and j.at > ended.at
where ended.outcome in ('reserved', 'charged', 'dispensed', 'captured', 'cancelled', 'refunded')
  and ended.kind in (1, 2, 3, 4);

-- E7 always
-- A claim is committed once.
-- Do: the fence failed; show both rows to the engineers before anything else is replayed.
select j.purchase, format('kind %s: %s rows of one claim', j.kind, count(*)) as detail
from journal j
where j.token is not null
group by j.purchase, j.kind, j.token
having count(*) > 1;
