"""The messages and enums of the API, generated from its `.proto` files, whose comments describe them."""

from postrider.v1.access_service_pb2 import *
from postrider.v1.finding_pb2 import *
from postrider.v1.mail_service_pb2 import *
from postrider.v1.message_pb2 import *
from postrider.v1.settings_pb2 import *
from postrider.v1.settings_service_pb2 import *
