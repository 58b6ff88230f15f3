select c.card, c.server_card_sealed, c.email_sealed, c.bin, c.created_at
from consumer_card c
where c.client_id = $1 and c.consumer_hash = $2 and not c.disabled
  and ($3::uuid is null or c.card = $3)
  and ($4::text is null or c.funding_source = $4)
order by c.created_at desc, c.card
limit 100
