-- One hold is at risk once, however many tasks of its purchase are parked.
with hit as (
    select t.purchase, t.at_risk_currency, t.at_risk_minor
    from task t
    join purchase p on p.purchase = t.purchase
    where t.state = 4
      and ($1::smallint is null or t.kind = $1)
      and ($2::text is null or t.park_class = $2)
      and ($3::bigint is null or p.client_id = $3)
      and ($4::text is null or strpos(lower(t.park_cause), lower($4)) > 0)
), risk as (
    select h.at_risk_currency, sum(h.minor)::bigint as at_risk_minor, count(*) as purchases
    from (select purchase, at_risk_currency, max(at_risk_minor) as minor
          from hit where at_risk_minor is not null
          group by purchase, at_risk_currency) h
    group by h.at_risk_currency
)
select a.tasks, r.at_risk_currency, r.at_risk_minor, r.purchases
from (select count(*) as tasks from hit) a
left join risk r on true
order by r.at_risk_currency
