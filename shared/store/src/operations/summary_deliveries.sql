select d.slot >= 100 as is_message, d.state, count(*) as count
from cohort c
cross join lateral (select d.slot, d.state from delivery d where d.purchase = c.purchase offset 0) d
group by d.slot >= 100, d.state
order by d.slot >= 100, d.state
