select count(*) from (
    select 1 from dead_letter d
    where d.state = any (case when $1::text is null then '{new,discarded,stored}'::text[]
                              else array[$1::text] end)
      and ($2::text is null or d.cause = $2)
      and ($3::text is null or d.queue = $3)
    limit $4 + 1) counted
