// Where this code's stack is.
//
//   out   {place}

    mov {place}, sp
