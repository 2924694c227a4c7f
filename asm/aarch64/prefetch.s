// Have the processor fetch the cache line at an address. One that cannot be read is passed over.
//
//   in    address

    prfm pldl1keep, [{address}]
