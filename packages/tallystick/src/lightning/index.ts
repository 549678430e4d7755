export { bell, type Bell } from './bell.ts'
export type {
  CreatedInvoice,
  HoldRequest,
  InvoiceRequest,
  InvoiceState,
  Lightning,
  Payer,
  Payment,
  Receiver,
  Settlement,
} from './Lightning.ts'
export { checkRequest, orPending, payable } from './request.ts'
