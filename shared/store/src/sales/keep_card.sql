insert into consumer_card (card, client_id, consumer_hash, funding_source, server_card_hash,
                           server_card_sealed, email_hash, email_sealed, bin, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, fleet_now())
on conflict (client_id, consumer_hash, funding_source, server_card_hash) do nothing
