-- Reserve, dispense or validate: a pending purchase has one of them.
select t.kind, t.state, case t.state when 2 then t.lease else t.due_at end as due_at
from task t
where t.purchase = $1 and t.kind in (1, 2, 9)
order by t.kind
limit 1
