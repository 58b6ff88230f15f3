-- Vouchers among the buyer's newest purchases. The inner limit bounds the work.
select b.*
from (
    select p.*
    from purchase p
    where p.client_id = $1 and p.source_hash = $2
    order by p.created_at desc
    limit 1000
) b
where b.voucher_sealed is not null and b.dispense_state = 'dispensed'
  and ($3::integer is null or b.channel_id = $3)
  and ($4::bigint[] is null or b.product_id = any ($4))
order by b.created_at desc, b.purchase desc
limit $5
