select p.*, d.body_sealed as ipn_sealed, h.removed
from purchase p
left join delivery d on d.purchase = p.purchase and d.channel = 'ipn'
left join transaction_hold h on h.purchase = p.purchase
where p.purchase = $1 and p.client_id + 0 = $2
