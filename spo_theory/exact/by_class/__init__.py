"""The fast path: one expected advantage for each outcome class, by enumeration of rewards or by quadrature."""
