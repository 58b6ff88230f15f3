select c.idx, c.verdict, c.true_lane, c.claimed_at, c.t_claims, c.t_tries, c.t_ref_no, c.t_former,
       c.t_signals, c.t_start_by, c.t_deadline_at, (c.about).*,
       c.d_channel, c.d_body, c.d_state, c.d_attempts, c.d_first_sent_at,
       c.f_source, c.f_type, c.f_reference, c.f_status, c.f_external_id, c.f_body, c.f_received_at,
       c.f_asks, c.f_asked_at,
       (c.desk_token).expires_at as k_expires_at, (c.desk_token).told as k_told, (c.desk_token).success_due as k_success_due,
       (c.desk_token).known_at as k_known_at, (c.desk_token).validate_timestamp as k_timestamp
from fleet_claim_v1($1, $2, $3, $4, $5, $6, $7, $8) c
order by c.idx
