select * from purchase where purchase = any ($1)
