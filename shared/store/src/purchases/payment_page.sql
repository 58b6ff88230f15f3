select p.*, g.url_sealed
from purchase p
left join payment_page g on g.purchase = p.purchase
where p.purchase = $1 and p.funding = 'card_payment'
