-- How long each stage took, from the one before it, of the newest 10,000 purchases. The journal runs on the real clock, so the
-- acceptance, which is on the fleet's clock, is set back by what that is ahead.
, reached as (
    select p.purchase, p.created_at - (select ahead from fleet_clock) as accepted,
           min(j.at) filter (where j.kind = 1 and j.outcome = 'reserved') as reserved,
           min(j.at) filter (where j.kind = 2 and j.outcome = 'dispensed') as dispensed,
           min(j.at) filter (where j.kind = 3 and j.outcome in ('captured', 'cancelled')) as settled,
           min(j.at) filter (where j.kind = 5 and j.outcome = 'acknowledged') as delivered
    from (select c.purchase from cohort c order by c.purchase desc limit 10000) c
    cross join lateral (
        select p.purchase, p.created_at from purchase p where p.purchase = c.purchase offset 0) p
    cross join lateral (
        select j.at, j.kind, j.outcome from journal j where j.purchase = c.purchase offset 0) j
    group by p.purchase, p.created_at
), stage as (
    select 1 as place, 'accepted to reserved' as stage, reserved - accepted as took from reached
    union all
    select 2, 'reserved to dispensed', dispensed - reserved from reached
    union all
    select 3, 'accepted to dispensed', dispensed - accepted from reached
    union all
    select 4, 'dispensed to settled', settled - dispensed from reached
    union all
    select 5, 'dispensed to delivered', delivered - dispensed from reached
), measured as (
    select place, stage, extract(epoch from took)::float8 * 1000 as ms from stage
    where took is not null)
select stage, count(*) as purchases, avg(ms)::float8 as average_ms,
       percentile_cont(0.95) within group (order by ms)::float8 as p95_ms
from measured
group by place, stage
order by place
