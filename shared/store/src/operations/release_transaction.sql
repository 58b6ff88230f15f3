with released as (delete from transaction_hold where purchase = $1 returning purchase)
insert into journal (purchase, kind, outcome, detail, actor)
select r.purchase, 5, 'released_by_hand', $2, $3 from released r
returning purchase
