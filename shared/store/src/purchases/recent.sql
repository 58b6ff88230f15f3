-- Of the buyer's newest purchases, the latest of each product. The innermost limit bounds the work.
select l.*
from (
    select distinct on (b.product_id) b.*
    from (
        select p.*
        from purchase p
        where p.client_id = $1 and p.source_hash = $2
          and p.created_at > (select fleet_now()) - interval '30 days'
        order by p.created_at desc
        limit 1000
    ) b
    where ($3::integer is null or b.channel_id = $3)
      and ($4::bigint[] is null or b.product_id = any ($4))
      and b.reserve_state not in ('refused', 'failed') and b.dispense_state <> 'failed'
    order by b.product_id, b.created_at desc, b.purchase desc
) l
order by l.created_at desc, l.purchase desc
limit $5
