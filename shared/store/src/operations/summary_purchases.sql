select p.scenario, p.way_in, p.reserve_state, p.dispense_state, p.settle_state,
       count(*) as purchases
from cohort c
cross join lateral (select p.* from purchase p where p.purchase = c.purchase offset 0) p
group by p.scenario, p.way_in, p.reserve_state, p.dispense_state, p.settle_state
order by p.scenario, p.way_in, p.reserve_state, p.dispense_state, p.settle_state
