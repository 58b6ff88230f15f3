update dead_letter d
set state = $2, actor = $3, decided_at = fleet_now()
where d.letter = $1 and d.state = 'new'
returning d.letter
