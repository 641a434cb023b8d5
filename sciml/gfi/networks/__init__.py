"""Networks from the records of shots to velocity maps and back; :mod:`sciml.gfi` exports them."""
