insert into dead_letter (letter, received_at, queue, cause, detail, message_id, headers, body_sealed,
                         body_bytes)
values ($1, fleet_now(), $2, $3, $4, $5, $6, $7, $8)
on conflict (letter) do nothing
returning letter
