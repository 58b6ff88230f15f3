-- Facts that spoke of no purchase of ours when they came, with what was decided about them: those that
-- are open, and, when they are asked for, the others. Each is a walk that ends with the page.
select f.*, d.action, d.purchase as matched_with, d.reason, d.actor, d.decided_at,
       fleet_now() as db_now
from ((select u.fact from fact u
       where u.purchase is null and not u.discarded
         and ($2::text is null or split_part(u.source, ':', 2) = $2)
         and u.fact < coalesce($3::bigint, 9223372036854775807)
       order by u.fact desc limit $4)
      union all
      (select e.fact from fact_decision e
       join fact u on u.fact = e.fact
       where $1 and ($2::text is null or split_part(u.source, ':', 2) = $2)
         and e.fact < coalesce($3::bigint, 9223372036854775807)
       order by e.fact desc limit $4)) x
join fact f on f.fact = x.fact
left join fact_decision d on d.fact = f.fact
order by f.fact desc
limit $4
