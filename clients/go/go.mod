module dirty-arbiter/clients/go

go 1.19
