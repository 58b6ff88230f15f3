select r.state, count(*) as count
from cohort c
cross join lateral (select r.state from fraud_report r where r.purchase = c.purchase offset 0) r
group by r.state
order by r.state
