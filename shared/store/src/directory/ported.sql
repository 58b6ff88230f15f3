select n.number_hash, n.operator_code
from ported_number n
where n.number_hash = any ($1)
