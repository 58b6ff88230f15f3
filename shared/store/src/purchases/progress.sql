select p.purchase, p.reserve_state, p.reserve_code, p.reserve_word, p.reservation, p.hold_expires_at,
       p.dispense_state, p.dispense_code, p.supplier_code, p.supplier_ref, p.vend_amount, p.settle_as,
       p.settle_state, p.created_at
from purchase p
where p.purchase = any ($1)
