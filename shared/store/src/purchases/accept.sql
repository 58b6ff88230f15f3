select c.idx, c.db_now, c.is_new, c.similar_to, (c.about).*
from fleet_accept_v1(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
    $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35) c
order by c.idx
