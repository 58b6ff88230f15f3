select f.*, d.action, d.purchase as matched_with, d.reason, d.actor, d.decided_at,
       fleet_now() as db_now
from fact f
left join fact_decision d on d.fact = f.fact
where f.fact = $1 and (f.purchase is null or d.fact is not null)
