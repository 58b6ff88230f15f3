-- Facts that spoke of no purchase of ours when they came, with what was decided about them.
select f.*, d.action, d.purchase as matched_with, d.reason, d.actor, d.decided_at,
       fleet_now() as db_now
from (select u.fact from fact u where u.purchase is null
      union select e.fact from fact_decision e) x
join fact f on f.fact = x.fact
left join fact_decision d on d.fact = f.fact
where ($1 or d.fact is null)
  and ($2::text is null or split_part(f.source, ':', 2) = $2)
  and ($3::bigint is null or f.fact < $3)
  and ($4::bigint is null or f.fact = $4)
order by f.fact desc
limit $5
