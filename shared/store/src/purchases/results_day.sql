select coalesce(min(r.seq), 0) as first, coalesce(max(r.seq), 0) as last,
       count(*) filter (where r.seq is null) as unnumbered,
       (select fleet_now()) >= ($2 + 1)::timestamp at time zone 'utc' + interval '5 minutes' as over
from result r
where r.client_id = $1
  and r.ended_at >= $2::timestamp at time zone 'utc'
  and r.ended_at < ($2 + 1)::timestamp at time zone 'utc'
