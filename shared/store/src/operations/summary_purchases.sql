select p.scenario, p.way_in, p.reserve_state, p.dispense_state, p.settle_state,
       count(*) as purchases
from purchase p
group by p.scenario, p.way_in, p.reserve_state, p.dispense_state, p.settle_state
order by p.scenario, p.way_in, p.reserve_state, p.dispense_state, p.settle_state
